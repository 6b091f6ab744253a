"""The one kind of error that is a user's to mend."""


class UserError(ValueError):
    """Bad input that its author can mend: command lines print it as one line and exit with code 2."""
