"""S3: versions, delete markers, conditional puts, unfinished multipart uploads."""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import md5
from io import BytesIO
from itertools import count
from typing import Any

from botocore.response import StreamingBody

from tests.world.clock import VirtualClock
from tests.world.wire import Answer, AwsError, Parameters

PAGE, LARGEST_DELETE = 1000, 1000


@dataclass
class Version:
    """One version of an object; a delete marker has no body."""

    key: str
    id: str
    body: bytes | None
    modified: datetime
    headers: dict[str, Any] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        return f'"{md5(self.body or b"", usedforsecurity=False).hexdigest()}"'


@dataclass
class Bucket:
    """One bucket; per key the oldest version first."""

    name: str
    versioned: bool = False
    versions: dict[str, list[Version]] = field(default_factory=dict)
    uploads: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, version: Version) -> None:
        if self.versioned:
            self.versions.setdefault(version.key, []).append(version)
        else:
            version.id = "null"
            self.versions[version.key] = [version]

    def current(self, key: str) -> Version | None:
        last = self.versions.get(key, [None])[-1]
        return last if last and last.body is not None else None

    def remove(self, key: str, version_id: str) -> Version | None:
        for version in self.versions.get(key, []):
            if version.id == version_id:
                self.versions[key].remove(version)
                if not self.versions[key]:
                    del self.versions[key]
                return version
        return None


class Objects:
    """The `s3` client's side."""

    def __init__(self, clock: VirtualClock, entry_fault: Any) -> None:
        self.clock, self.entry_fault = clock, entry_fault
        self.buckets: dict[str, Bucket] = {}
        self._ids = (f"version-{n:08d}" for n in count(1))

    def create_bucket(self, call: Parameters) -> Answer:
        self.buckets[call["Bucket"]] = Bucket(call["Bucket"])
        return {"Location": f"/{call['Bucket']}"}

    def put_bucket_versioning(self, call: Parameters) -> Answer:
        self._bucket(call).versioned = call["VersioningConfiguration"]["Status"] == "Enabled"
        return {}

    def put_object(self, call: Parameters) -> Answer:
        bucket, key, body = self._bucket(call), call["Key"], call.get("Body", b"")
        if call.get("IfNoneMatch") and bucket.current(key):
            message = "At least one of the pre-conditions you specified did not hold"
            raise AwsError("PreconditionFailed", message, 412)
        headers = {name: call[name] for name in ("ContentType", "ContentEncoding") if name in call}
        headers["Metadata"] = {name.lower(): value for name, value in call.get("Metadata", {}).items()}
        content = body if isinstance(body, bytes) else bytes(body.read())
        version = Version(key, next(self._ids), content, self.clock.now(), headers)
        bucket.add(version)
        return {"ETag": version.etag, **self._version_id(bucket, version)}

    def get_object(self, call: Parameters) -> Answer:
        version = self._read(call, "NoSuchKey")
        body = version.body or b""
        return {**self._head(call, version), "Body": StreamingBody(BytesIO(body), len(body))}

    def head_object(self, call: Parameters) -> Answer:
        return self._head(call, self._read(call, "404"))  # a HEAD has no body that could name the error

    def delete_object(self, call: Parameters) -> Answer:
        return self._delete(self._bucket(call), call["Key"], call.get("VersionId"))

    def delete_objects(self, call: Parameters) -> Answer:
        bucket, wanted = self._bucket(call), call["Delete"]["Objects"]
        if not 0 < len(wanted) <= LARGEST_DELETE:
            raise AwsError("MalformedXML", "The XML you provided was not well-formed")
        answer: dict[str, list[Answer]] = {"Deleted": [], "Errors": []}
        for entry in wanted:
            named = {name: entry[name] for name in ("Key", "VersionId") if name in entry}
            if code := self.entry_fault("s3", "delete_objects"):
                answer["Errors"].append({**named, "Code": code, "Message": code})
            else:
                deleted = self._delete(bucket, entry["Key"], entry.get("VersionId"))
                marker = {"DeleteMarker": True} if "DeleteMarker" in deleted else {}
                if marker:
                    marker["DeleteMarkerVersionId"] = deleted["VersionId"]
                answer["Deleted"].append({**named, **marker})
        if call["Delete"].get("Quiet"):
            del answer["Deleted"]
        return {name: entries for name, entries in answer.items() if entries}

    def list_object_versions(self, call: Parameters) -> Answer:
        bucket, prefix = self._bucket(call), call.get("Prefix", "")
        found = [
            (version, version is versions[-1])
            for key in sorted(key for key in bucket.versions if key.startswith(prefix))
            for versions in [bucket.versions[key]]
            for version in reversed(versions)
        ]
        if key_marker := call.get("KeyMarker"):
            id_marker = call.get("VersionIdMarker")
            here = [n for n, (v, _) in enumerate(found) if v.key == key_marker and v.id == id_marker]
            found = found[here[0] + 1 :] if here else [f for f in found if f[0].key > key_marker]
        size = min(PAGE, call.get("MaxKeys", PAGE))
        page, more = found[:size], len(found) > size
        answer: Answer = {"IsTruncated": more, "Name": bucket.name, "Prefix": prefix, "MaxKeys": size}
        if more:
            answer |= {"NextKeyMarker": page[-1][0].key, "NextVersionIdMarker": page[-1][0].id}
        for version, latest in page:
            entry = {
                "Key": version.key,
                "VersionId": version.id,
                "IsLatest": latest,
                "LastModified": version.modified,
            }
            if version.body is None:
                answer.setdefault("DeleteMarkers", []).append(entry)
            else:
                sized = {"Size": len(version.body), "ETag": version.etag, **entry}
                answer.setdefault("Versions", []).append(sized)
        return answer

    def create_multipart_upload(self, call: Parameters) -> Answer:
        bucket, upload = self._bucket(call), f"upload-{next(self._ids)}"
        bucket.uploads[upload] = {"Key": call["Key"], "UploadId": upload, "Initiated": self.clock.now()}
        return {"Bucket": bucket.name, "Key": call["Key"], "UploadId": upload}

    def upload_part(self, call: Parameters) -> Answer:
        upload = self._upload(call)
        part = Version(call["Key"], str(call["PartNumber"]), call["Body"], self.clock.now())
        upload.setdefault("Parts", []).append(part)
        return {"ETag": part.etag}

    def abort_multipart_upload(self, call: Parameters) -> Answer:
        del self._bucket(call).uploads[self._upload(call)["UploadId"]]
        return {}

    def list_multipart_uploads(self, call: Parameters) -> Answer:
        bucket, prefix = self._bucket(call), call.get("Prefix", "")
        after = (call.get("KeyMarker", ""), call.get("UploadIdMarker", ""))
        found = sorted(
            ({n: v for n, v in upload.items() if n != "Parts"} for upload in bucket.uploads.values()),
            key=lambda upload: (upload["Key"], upload["UploadId"]),
        )
        found = [u for u in found if u["Key"].startswith(prefix) and (u["Key"], u["UploadId"]) > after]
        size = min(PAGE, call.get("MaxUploads", PAGE))
        answer: Answer = {"IsTruncated": len(found) > size}
        if page := found[:size]:
            answer["Uploads"] = page
            answer |= {"NextKeyMarker": page[-1]["Key"], "NextUploadIdMarker": page[-1]["UploadId"]}
        return answer

    def _delete(self, bucket: Bucket, key: str, version_id: str | None) -> Answer:
        if version_id is not None:
            gone = bucket.remove(key, version_id)
            return {"VersionId": version_id, **({"DeleteMarker": True} if gone and gone.body is None else {})}
        if not bucket.versioned:
            bucket.versions.pop(key, None)
            return {}
        marker = Version(key, next(self._ids), None, self.clock.now())
        bucket.add(marker)
        return {"DeleteMarker": True, "VersionId": marker.id}

    def _read(self, call: Parameters, missing: str) -> Version:
        bucket, key, version_id = self._bucket(call), call["Key"], call.get("VersionId")
        if version_id is None:
            version = bucket.current(key)
        else:
            version = next((v for v in bucket.versions.get(key, []) if v.id == version_id), None)
            missing = missing if missing == "404" else "NoSuchVersion"
        if version is None:
            raise AwsError(missing, "Not Found" if missing == "404" else "The specified key does not exist.", 404)
        if version.body is None:
            raise AwsError("405" if missing == "404" else "MethodNotAllowed", "Method Not Allowed", 405)
        return version

    def _head(self, call: Parameters, version: Version) -> Answer:
        return {
            "ContentLength": len(version.body or b""),
            "ETag": version.etag,
            "LastModified": version.modified,
            **version.headers,
            **self._version_id(self._bucket(call), version),
        }

    @staticmethod
    def _version_id(bucket: Bucket, version: Version) -> Answer:
        return {"VersionId": version.id} if bucket.versioned else {}

    def _upload(self, call: Parameters) -> dict[str, Any]:
        upload = self._bucket(call).uploads.get(call["UploadId"])
        if upload is None or upload["Key"] != call["Key"]:
            raise AwsError("NoSuchUpload", "The specified multipart upload does not exist.", 404)
        return upload

    def _bucket(self, call: Parameters) -> Bucket:
        if (name := call["Bucket"]) not in self.buckets:
            raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404)
        return self.buckets[name]
