"""What an index would take, before there is one."""
