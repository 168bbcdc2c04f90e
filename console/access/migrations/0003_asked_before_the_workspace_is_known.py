"""What is asked before anybody knows in which workspace: two questions, each with its key.

The database shows a web process only the rows of one workspace. Where a person belongs, and whose
token this is, has to be known first; these functions look with the eyes of the tables' owner, and
answer nothing else.
"""

from django.db import migrations

_MAKE = """
    CREATE FUNCTION workspaces_of_person(asked uuid) RETURNS TABLE (
        id uuid, slug varchar, name varchar, created_at timestamptz, roles varchar[]
    ) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        RETURN QUERY
            SELECT w.id, w.slug, w.name, w.created_at, array_agg(m.role ORDER BY m.role)
            FROM access_membership m
            JOIN access_workspace w ON w.id = m.workspace_id
            JOIN access_user u ON u.id = m.person_id
            WHERE m.person_id = asked AND u.is_active
            GROUP BY w.id
            ORDER BY w.name, w.id;
    END $$;
    CREATE FUNCTION token_with_digest(asked text) RETURNS SETOF access_apitoken
        LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        RETURN QUERY
            SELECT t.* FROM access_apitoken t JOIN access_user u ON u.id = t.made_by_id
            WHERE t.digest = asked AND u.is_active;
    END $$;
"""
_UNDO = "DROP FUNCTION workspaces_of_person(uuid); DROP FUNCTION token_with_digest(text);"


class Migration(migrations.Migration):
    """Two functions."""

    dependencies = [("access", "0002_decisions_that_stand_up")]
    operations = [migrations.RunSQL([_MAKE], [_UNDO])]
