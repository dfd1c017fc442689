"""Pages for people: the audit report, certificates, and what they count."""
