"""Who reads an account's records afterwards and trusts nobody: `journal` reads the entries, `account` the database."""
