"""What has to outlive the process: the outbox and the books, in one file."""
