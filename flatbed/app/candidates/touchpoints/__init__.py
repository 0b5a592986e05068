"""The log of touches, and the later words on them: anybody lowers, an auditor replaces."""
