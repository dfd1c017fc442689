"""Keys that a secret manager keeps: read when they are needed, kept nowhere.

Belongs here: the way from a secret's name to its content. What the content means is said by whoever asks.
"""

from lake.stores import aws

_REASONS = {
    "ResourceNotFoundException": "found no such secret in Secrets Manager, needed it; check the name and the region",
    "AccessDeniedException": "found no permission, needed secretsmanager:GetSecretValue, and kms:Decrypt on its key",
    "DecryptionFailure": "found a secret that its KMS key does not open, needed kms:Decrypt on that key",
    "InvalidRequestException": "found a secret that is marked for deletion, needed it; restore it in Secrets Manager",
}


class SecretError(ValueError):
    """A secret cannot be read; the message says why, never its content."""


def read(name: str, setting: str) -> bytes:
    """The content of a secret of AWS Secrets Manager.

    Credentials, region and endpoint are those of the ordinary AWS chain.

    Args:
        name: its name or ARN.
        setting: the variable that names it, for messages.

    Raises:
        SecretError: if there is none, or this process may not read it.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        # a session of its own: boto3's default one keeps the credentials of its first call
        client = boto3.Session(region_name=aws.region()).client("secretsmanager")
        found = client.get_secret_value(SecretId=name)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        raise SecretError(f"{setting}: {_REASONS.get(code, f'Secrets Manager answered {code}')}") from None
    except BotoCoreError as error:
        raise SecretError(
            f"{setting}: found no way to Secrets Manager ({type(error).__name__}), needed credentials and a region of "
            "the ordinary AWS chain"
        ) from None
    content = found.get("SecretBinary")
    return content if content is not None else found["SecretString"].encode()
