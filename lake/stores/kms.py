"""Keys that AWS KMS keeps: it makes a key and gives it again from its wrapped form, and nobody ever sees its own.

Belongs here: asking KMS. What such a key is for is said by whoever asks.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from lake.stores import aws
from lake.stores.secrets import SecretError

_PURPOSE = {"larmor": "vault"}
"""Encryption context: KMS gives a key again for the purpose alone that it was made for, and writes it to its log."""

_REASONS = {
    "NotFoundException": "found no such key in KMS, needed it; check its id, alias and region",
    "AccessDeniedException": "found no permission, needed kms:GenerateDataKey and kms:Decrypt on the key",
    "DisabledException": "found a disabled key, needed it enabled; enable it in KMS",
    "KMSInvalidStateException": "found a key that is disabled or marked for deletion, needed it; restore it in KMS",
    "IncorrectKeyException": "found a wrapped key of another KMS key, needed the one that it was made by; check the id",
    "InvalidCiphertextException": "found a wrapped key that KMS does not know, needed it as it was; restore a backup",
}


@dataclass(frozen=True)
class KmsKey:
    """A symmetric key of KMS; a `deid.keyring.Service`.

    Attributes:
        name: its id, ARN or alias.
        setting: the variable or option that named it, for messages.
    """

    name: str
    setting: str = "LARMOR_VAULT_KMS_KEY"

    def fresh(self) -> tuple[bytes, str]:
        """A new key of 32 bytes, and its wrapped form in base64.

        Raises:
            SecretError: if KMS gives none; the message says why.
        """
        answer = self._ask("generate_data_key", KeySpec="AES_256")
        return answer["Plaintext"], base64.b64encode(answer["CiphertextBlob"]).decode()

    def again(self, text: str) -> bytes:
        """The key of a wrapped form.

        Raises:
            SecretError: if KMS does not give it; the message says why, never what it was.
        """
        try:
            blob = base64.b64decode(text, validate=True)
        except binascii.Error:
            raise SecretError(f"{self.setting}: {_REASONS['InvalidCiphertextException']}") from None
        key: bytes = self._ask("decrypt", CiphertextBlob=blob)["Plaintext"]
        return key

    def _ask(self, what: str, **asked: Any) -> dict[str, Any]:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            # a session of its own: boto3's default one keeps the credentials of its first call
            client = boto3.Session(region_name=aws.region()).client("kms")
            answer: dict[str, Any] = getattr(client, what)(KeyId=self.name, EncryptionContext=_PURPOSE, **asked)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown")
            raise SecretError(f"{self.setting}: {_REASONS.get(code, f'KMS answered {code}')}") from None
        except BotoCoreError as error:
            raise SecretError(
                f"{self.setting}: found no way to KMS ({type(error).__name__}), needed credentials and a region of the "
                "ordinary AWS chain"
            ) from None
        return answer
