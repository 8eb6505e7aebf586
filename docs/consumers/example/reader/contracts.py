"""What flinks-landing promises, as pydantic models: `make contracts` of flinks-landing wrote them from its contracts.

Members that are not here are ignored: contracts only ever gain some. Parse JSON with `parse_float=Decimal`, and no
amount ever is a binary float. No error quotes what it was given.
"""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

type Amount = Decimal | None
type Day = str | None


class Contract(BaseModel):
    """Members by our names in Python, by their own in JSON."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True, validate_by_name=True)


class FlinksLanding(Contract):
    """Ours, and the first: whose data it is and of when, in the words of the events. Drops that were stored before it
    came do not have it.
    """

    connection_id: Annotated[str, Field(pattern="^con_[a-z2-7]{26}$", alias="connectionId")]
    generation: Annotated[int, Field(ge=1)]
    owner: str | None
    """The app user, as the access token's `sub` names them: opaque."""
    institution: str | None
    """As the app said it when it posted the login. Flinks' own word is the member Institution."""
    fetched_at: Annotated[
        str, Field(pattern="^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$", alias="fetchedAt")
    ]
    """When Flinks gave us the data. UTC."""
    last_refresh: Annotated[str | None, Field(alias="lastRefresh")]
    """When Flinks read the bank, as in Login; null where that is no time."""


class AccountBalance(Contract):
    available: Annotated[Amount, Field(alias="Available")] = None
    current: Annotated[Amount, Field(alias="Current")] = None
    limit: Annotated[Amount, Field(alias="Limit")] = None


class HolderAddress(Contract):
    civic_address: Annotated[str | None, Field(alias="CivicAddress")] = None
    city: Annotated[str | None, Field(alias="City")] = None
    province: Annotated[str | None, Field(alias="Province")] = None
    postal_code: Annotated[str | None, Field(alias="PostalCode")] = None
    po_box: Annotated[str | None, Field(alias="POBox")] = None
    country: Annotated[str | None, Field(alias="Country")] = None


class Holder(Contract):
    name: Annotated[str | None, Field(alias="Name")] = None
    email: Annotated[str | None, Field(alias="Email")] = None
    phone_number: Annotated[str | None, Field(alias="PhoneNumber")] = None
    address: Annotated[HolderAddress | None, Field(alias="Address")] = None


class Transaction(Contract):
    """Debit and Credit are not negative. As a rule one of them is set and the other null; 0 instead of null, and both
    set, have been met.
    """

    id: Annotated[str | None, Field(alias="Id")] = None
    date: Annotated[Day, Field(alias="Date")] = None
    description: Annotated[str | None, Field(alias="Description")] = None
    """As the bank writes it."""
    debit: Annotated[Amount, Field(alias="Debit")] = None
    credit: Annotated[Amount, Field(alias="Credit")] = None
    balance: Annotated[Amount, Field(alias="Balance")] = None
    code: Annotated[Decimal | str | None, Field(alias="Code")] = None
    """Out of use at Flinks."""


class Account(Contract):
    id: Annotated[str | None, Field(alias="Id")] = None
    """The same in every drop of the connection."""
    title: Annotated[str | None, Field(alias="Title")] = None
    """As the bank shows it."""
    category: Annotated[str | None, Field(alias="Category")] = None
    """Operations, Credits, Products, Other; an open set."""
    type: Annotated[str | None, Field(alias="Type")] = None
    """Chequing, Savings, CreditCard, LineOfCredit, LoanPersonal, RRSP, TFSA, Unknown; an open set."""
    account_type: Annotated[str | None, Field(alias="AccountType")] = None
    """Personal, for instance."""
    currency: Annotated[str | None, Field(alias="Currency")] = None
    """CAD or USD."""
    transit_number: Annotated[str | None, Field(alias="TransitNumber")] = None
    """Keep leading zeros. A routing number in the US."""
    institution_number: Annotated[str | None, Field(alias="InstitutionNumber")] = None
    """Keep leading zeros."""
    account_number: Annotated[str | None, Field(alias="AccountNumber")] = None
    """May be masked or partial."""
    last_four_digits: Annotated[str | None, Field(alias="LastFourDigits")] = None
    overdraft_limit: Annotated[Amount, Field(alias="OverdraftLimit")] = None
    balance: Annotated[AccountBalance | None, Field(alias="Balance")] = None
    holder: Annotated[str | Holder | None, Field(alias="Holder")] = None
    transactions: Annotated[list[Transaction] | None, Field(alias="Transactions")] = None
    """Posted ones. Newest first, as a rule."""


class Login(Contract):
    """Without its id and user name."""

    last_refresh: Annotated[str | None, Field(alias="LastRefresh")] = None
    """When Flinks read the bank: UTC without a zone; 0001-01-01T00:00:00 for never."""
    is_scheduled_refresh: Annotated[bool | None, Field(alias="IsScheduledRefresh")] = None
    type: Annotated[str | None, Field(alias="Type")] = None


class Drop(Contract):
    """What lies, gzipped, at accounts/v1/<connectionId>/<generation>.json.gz: the answer of Flinks' GetAccountsDetail,
    less what identifies the session and the login, after one member of ours. Members that are not named here
    may come at every level. What Flinks may omit is not required.
    """

    flinks_landing: Annotated[FlinksLanding | None, Field(alias="flinksLanding")] = None
    http_status_code: Annotated[int | None, Field(alias="HttpStatusCode")] = None
    accounts: Annotated[list[Account], Field(alias="Accounts")]
    """May be empty."""
    login: Annotated[Login | None, Field(alias="Login")] = None
    institution: Annotated[str | None, Field(alias="Institution")] = None
    institution_name: Annotated[str | None, Field(alias="InstitutionName")] = None
    institution_id: Annotated[int | None, Field(alias="InstitutionId")] = None


class DropLocation(Contract):
    """One object version in S3, and what it holds. It is put once and never replaced."""

    bucket: str
    key: str
    version_id: Annotated[str, Field(alias="versionId")]
    """Read this version: it is what was announced."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Of the stored (compressed) bytes."""
    bytes: Annotated[int, Field(ge=1)]
    """Size of the stored (compressed) object."""
    accounts: Annotated[int, Field(ge=0)]
    transactions: Annotated[int, Field(ge=0)]
    """In all accounts together."""
    last_refresh: Annotated[str | None, Field(alias="lastRefresh")]
    """When Flinks read the bank: UTC without a zone; 0001-01-01T00:00:00 for never."""


class AccountDataReady(Contract):
    """The account data of this generation lies in S3."""

    id: str
    """The same whenever the same is announced again. Opaque: compare it, do not parse it."""
    version: Literal[1]
    """Of this contract."""
    connection_id: Annotated[str, Field(pattern="^con_[a-z2-7]{26}$", alias="connectionId")]
    generation: Annotated[int, Field(ge=1)]
    """Counts the fetches of this connection; the order of its announcements."""
    occurred_at: Annotated[
        str, Field(pattern="^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$", alias="occurredAt")
    ]
    """When the connection came to be so; not when it was announced. UTC."""
    correlation_id: Annotated[str | None, Field(alias="correlationId")]
    """The request that asked for this generation, as in our logs."""
    status: Literal["ready"]
    owner: str
    """The app user, as the access token's `sub` names them: opaque."""
    reason: None
    action: Literal["none"]
    drop: DropLocation


class ConnectionActionRequired(Contract):
    """The person must do something, as `action` says, before there is new data; data announced before stays."""

    id: str
    """The same whenever the same is announced again. Opaque: compare it, do not parse it."""
    version: Literal[1]
    """Of this contract."""
    connection_id: Annotated[str, Field(pattern="^con_[a-z2-7]{26}$", alias="connectionId")]
    generation: Annotated[int, Field(ge=1)]
    """Counts the fetches of this connection; the order of its announcements."""
    occurred_at: Annotated[
        str, Field(pattern="^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$", alias="occurredAt")
    ]
    """When the connection came to be so; not when it was announced. UTC."""
    correlation_id: Annotated[str | None, Field(alias="correlationId")]
    """The request that asked for this generation, as in our logs."""
    status: Literal["action_required"]
    owner: str
    """The app user, as the access token's `sub` names them: opaque."""
    reason: str
    """Why, in a word of ours; new words may come."""
    action: Literal["none", "wait", "reconnect", "contact_support"]
    """What the person or ops should do about a connection that is not ready."""


class ConnectionFailed(Contract):
    """This generation was given up; data announced before stays."""

    id: str
    """The same whenever the same is announced again. Opaque: compare it, do not parse it."""
    version: Literal[1]
    """Of this contract."""
    connection_id: Annotated[str, Field(pattern="^con_[a-z2-7]{26}$", alias="connectionId")]
    generation: Annotated[int, Field(ge=1)]
    """Counts the fetches of this connection; the order of its announcements."""
    occurred_at: Annotated[
        str, Field(pattern="^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$", alias="occurredAt")
    ]
    """When the connection came to be so; not when it was announced. UTC."""
    correlation_id: Annotated[str | None, Field(alias="correlationId")]
    """The request that asked for this generation, as in our logs."""
    status: Literal["failed"]
    owner: str
    """The app user, as the access token's `sub` names them: opaque."""
    reason: str
    """Why, in a word of ours; new words may come."""
    action: Literal["none", "wait", "reconnect", "contact_support"]
    """What the person or ops should do about a connection that is not ready."""


class ConnectionDeleted(Contract):
    """The person's data was erased here and at Flinks: erase what was made of it."""

    id: str
    """The same whenever the same is announced again. Opaque: compare it, do not parse it."""
    version: Literal[1]
    """Of this contract."""
    connection_id: Annotated[str, Field(pattern="^con_[a-z2-7]{26}$", alias="connectionId")]
    generation: Annotated[int, Field(ge=1)]
    """Counts the fetches of this connection; the order of its announcements."""
    occurred_at: Annotated[
        str, Field(pattern="^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$", alias="occurredAt")
    ]
    """When the connection came to be so; not when it was announced. UTC."""
    correlation_id: Annotated[str | None, Field(alias="correlationId")]
    """The request that asked for this generation, as in our logs."""
    status: Literal["deleted"]
    reason: None
    action: Literal["none"]


type Announcement = AccountDataReady | ConnectionActionRequired | ConnectionFailed | ConnectionDeleted

DETAILS: dict[str, type[Announcement]] = {
    "Account Data Ready": AccountDataReady,
    "Connection Action Required": ConnectionActionRequired,
    "Connection Failed": ConnectionFailed,
    "Connection Deleted": ConnectionDeleted,
}
"""By detail-type."""
