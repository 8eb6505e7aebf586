"""What no role may do: promises of docs/security.md as requests, each of which must be denied.

The ARN of a resource is its logical id in the template. `tests/unit/template/test_forbidden.py` asks the policies as
written, `tests/secrets/test_permissions.py` those that are deployed, and the emulator itself.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from tests.policies import Request

RECEIVE, FETCH, DELETE = "ReceiveLoginRole", "FetchAccountsRole", "DeleteConnectionRole"
SHOW, SESSION, PUBLISH = "ShowConnectionRole", "CreateConnectSessionRole", "PublishEventsRole"
RESUME, REFETCH, IMPORT = "ResumeStalledRole", "RefetchConnectionsRole", "ImportLoginsRole"
PUBLIC = (RECEIVE, SHOW, SESSION)
ROLES = (*PUBLIC, FETCH, DELETE, PUBLISH, RESUME, REFETCH, IMPORT)

LOGIN = {"kms:EncryptionContext:purpose": "login"}
REQUEST = {"kms:EncryptionContext:purpose": "request"}
ANOTHER_PURPOSE = {"kms:EncryptionContext:purpose": "another"}
NO_CONTEXT: Mapping[str, str] = {}
VIA_S3, VIA_DYNAMODB, VIA_SECRETS = (
    {"kms:ViaService": f"{service}.ca-central-1.amazonaws.com"} for service in ("s3", "dynamodb", "secretsmanager")
)
A_DROP = "DropBucket/accounts/v1/con_aaaaaaaaaaaaaaaaaaaaaaaaaa/000001.json.gz"
A_RECEIPT = "DropBucket/receipts/v1/con_aaaaaaaaaaaaaaaaaaaaaaaaaa.20260302T140506000Z.json"
ENCRYPTED = {"s3:x-amz-server-side-encryption": "aws:kms", "s3:x-amz-server-side-encryption-aws-kms-key-id": "DataKey"}
INDEXES = tuple(f"ConnectionsTable/index/{name}" for name in ("by-login", "by-owner", "by-owner-ref", "by-due"))
QUEUES = ("FetchQueue", "EraseQueue", "FetchDeadLetters", "EraseDeadLetters", "StreamFailures", "AnnouncementFailures")
SENDS_TO = {
    FETCH: {"FetchQueue", "EraseQueue", "StreamFailures"},
    DELETE: {"EraseQueue"},
    PUBLISH: {"StreamFailures", "AnnouncementFailures"},
    RESUME: {"FetchQueue", "EraseQueue", "AnnouncementFailures"},
}
CONSUMES = {FETCH: {"FetchQueue"}, DELETE: {"EraseQueue"}}


def _all(
    who: Iterable[str], actions: Iterable[str], on: Iterable[str], contexts: Iterable[Mapping[str, str]] = (NO_CONTEXT,)
) -> Iterator[Request]:
    yield from (Request(*each) for each in product(who, actions, on, contexts))


def _but(*named: str) -> tuple[str, ...]:
    """Every role but these."""
    return tuple(role for role in ROLES if role not in named)


FORBIDDEN: dict[str, tuple[Request, ...]] = {
    "nobody opens a login but who fetches and who erases": tuple(
        _all(_but(FETCH, DELETE), ["kms:Decrypt"], ["LoginKey"], [LOGIN, REQUEST, NO_CONTEXT])
    ),
    "nobody seals a login but who receives or imports it": tuple(
        _all(_but(RECEIVE, IMPORT), ["kms:Encrypt"], ["LoginKey"], [LOGIN])
    ),
    "only who fetches seals and opens sessions": tuple(
        _all(_but(FETCH), ["kms:Encrypt", "kms:Decrypt"], ["LoginKey"], [REQUEST])
    ),
    "nothing is sealed or opened without one of the two purposes": tuple(
        _all(ROLES, ["kms:Encrypt", "kms:Decrypt"], ["LoginKey"], [NO_CONTEXT, ANOTHER_PURPOSE])
    ),
    "the login key is used in no other way": tuple(
        _all(ROLES, ["kms:ReEncryptFrom", "kms:GenerateDataKey", "kms:GenerateMac"], ["LoginKey"], [LOGIN])
    ),
    "nobody makes a MAC but who needs references and tags, and nobody verifies by the key": (
        *_all((SHOW, PUBLISH, RESUME, REFETCH), ["kms:GenerateMac"], ["IndexKey"]),
        *_all(ROLES, ["kms:VerifyMac", "kms:Decrypt"], ["IndexKey"]),
    ),
    "nobody reads a drop": (
        *_all(ROLES, ["kms:Decrypt"], ["DataKey"], [VIA_S3]),
        *_all(ROLES, ["s3:GetObjectVersion"], [A_DROP]),
        *_all(_but(FETCH), ["s3:GetObject"], [A_DROP]),
        *_all(ROLES, ["s3:GetObject"], [A_RECEIPT]),
    ),
    "nobody lists drops but who erases": tuple(
        _all(_but(DELETE), ["s3:ListBucket", "s3:ListBucketVersions"], ["DropBucket"], [{"s3:prefix": "accounts/v1/"}])
    ),
    "nobody deletes a drop but who erases": tuple(
        _all(_but(DELETE), ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload"], [A_DROP])
    ),
    "nobody deletes a receipt": tuple(_all(ROLES, ["s3:DeleteObject", "s3:DeleteObjectVersion"], [A_RECEIPT])),
    "nobody puts a drop but who fetches, nor a receipt but who erases": (
        *_all(_but(FETCH), ["s3:PutObject"], [A_DROP], [ENCRYPTED]),
        *_all(_but(DELETE), ["s3:PutObject"], [A_RECEIPT], [ENCRYPTED]),
    ),
    "the data key works through a store only": tuple(
        _all(ROLES, ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"], ["DataKey"])
    ),
    "who reads no secret of Flinks' opens none": tuple(
        _all((RECEIVE, SHOW, PUBLISH, RESUME, REFETCH, IMPORT), ["kms:Decrypt"], ["DataKey"], [VIA_SECRETS])
    ),
    "nobody reads a key of Flinks' but who asks Flinks": (
        *_all(
            (RECEIVE, SHOW, PUBLISH, RESUME, REFETCH, IMPORT),
            ["secretsmanager:GetSecretValue"],
            ["FlinksSecretKey", "FlinksApiKey"],
        ),
        *_all((SESSION,), ["secretsmanager:GetSecretValue"], ["FlinksApiKey"]),
        *_all(ROLES, ["secretsmanager:PutSecretValue"], ["FlinksSecretKey", "FlinksApiKey"]),
    ),
    "nobody deletes a row, or rows in bulk": tuple(
        _all(ROLES, ["dynamodb:DeleteItem", "dynamodb:BatchWriteItem"], ["ConnectionsTable", "SessionsTable"])
    ),
    "nobody makes a row but who receives or imports": tuple(
        _all(_but(RECEIVE, IMPORT), ["dynamodb:PutItem"], ["ConnectionsTable"])
    ),
    "who only shows or imports changes no row": tuple(
        _all((SHOW, SESSION, IMPORT), ["dynamodb:UpdateItem"], ["ConnectionsTable"])
    ),
    "who fetches reads no row but by claiming it": tuple(
        _all((FETCH,), ["dynamodb:GetItem", "dynamodb:Query"], ["ConnectionsTable", *INDEXES])
    ),
    "who opens sessions reads no connection": tuple(
        _all((SESSION,), ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"], ["ConnectionsTable", *INDEXES])
    ),
    "nobody reads the whole table but ops' re-fetch": tuple(
        _all(_but(REFETCH), ["dynamodb:Scan"], ["ConnectionsTable"])
    ),
    "an index is asked by who needs it": (
        *_all(
            _but(DELETE), ["dynamodb:Query"], ["ConnectionsTable/index/by-login", "ConnectionsTable/index/by-owner-ref"]
        ),
        *_all(_but(DELETE, SHOW), ["dynamodb:Query"], ["ConnectionsTable/index/by-owner"]),
        *_all(_but(DELETE), ["dynamodb:Query"], ["ConnectionsTable/index/by-owner-ref"]),
        *_all(_but(RESUME), ["dynamodb:Query"], ["ConnectionsTable/index/by-due"]),
    ),
    "the stream is read by its two readers": tuple(
        _all(_but(FETCH, PUBLISH), ["dynamodb:GetRecords", "dynamodb:GetShardIterator"], ["ConnectionsTable/stream"])
    ),
    "nobody counts but who opens sessions and who receives logins, and nobody reads the counts": (
        *_all(_but(SESSION, RECEIVE), ["dynamodb:UpdateItem"], ["SessionsTable"]),
        *_all(ROLES, ["dynamodb:GetItem", "dynamodb:Scan"], ["SessionsTable"]),
    ),
    "a queue is written and read by whose it is": (
        *(
            request
            for role in ROLES
            for request in _all([role], ["sqs:SendMessage"], set(QUEUES) - SENDS_TO.get(role, set()))
        ),
        *(
            request
            for role in ROLES
            for request in _all([role], ["sqs:ReceiveMessage"], set(QUEUES) - CONSUMES.get(role, set()))
        ),
        *_all(ROLES, ["sqs:PurgeQueue"], QUEUES),
    ),
    "nobody announces but who publishes, who makes it good, and ops' re-fetch": tuple(
        _all(_but(PUBLISH, RESUME, REFETCH), ["events:PutEvents"], ["EventBus"])
    ),
    "nobody becomes another": tuple(
        _all(
            ROLES,
            ["sts:AssumeRole", "iam:PassRole", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"],
            [FETCH, DELETE],
        )
    ),
    "nobody runs or changes a function": tuple(
        _all(
            ROLES,
            ["lambda:InvokeFunction", "lambda:UpdateFunctionCode"],
            ["FetchAccountsFunction", "DeleteConnectionFunction"],
        )
    ),
    "nobody changes a key's policy, or grants it on": tuple(
        _all(
            ROLES,
            ["kms:PutKeyPolicy", "kms:CreateGrant", "kms:ScheduleKeyDeletion"],
            ["LoginKey", "IndexKey", "DataKey"],
        )
    ),
}
"""By promise."""
