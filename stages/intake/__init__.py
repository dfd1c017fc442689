"""Deliveries on their way into landing: folders, archives, S3 prefixes, a PACS, a receiver; what each file is."""
