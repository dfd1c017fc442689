"""Pictures of volumes for catalogues and reports."""
