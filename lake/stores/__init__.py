"""Where files of a zone lie: a folder of this machine or a prefix of S3, same promises; keys to them."""
