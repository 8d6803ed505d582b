"""Files that outlive a session: written whole or not at all, read back exactly or refused."""
