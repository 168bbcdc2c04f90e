"""Pages of the queue, of proposals and of the policies that they stand under."""
