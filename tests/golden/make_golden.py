#!/usr/bin/env python3
"""Makes the golden sets of one release: make_golden.py PATH_OF_SIGNED_SET OUT. Run once per release format; see README.md.

The key pairs live in this process alone: their public halves are written beside the sets, nothing else of them.
Signing is written out here a second time, in Python, so that a set's form does not rest on Skua's own encoder."""

import base64
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

MANIFEST, SIGNATURE = "flight-manifest.json", "model.sig"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
TOOL = pathlib.Path(sys.executable).parent / "model_signing"


def public_pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def digests(folder):
    """Of every file but the signature, by the components of its path."""
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [(path.as_posix(), sha256((folder / path).read_bytes())) for path in files if path.name != SIGNATURE]


def statement(name, files):
    root = sha256(b"".join(bytes.fromhex(digest) for _, digest in files))
    return {"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": name, "digest": {"sha256": root}}],
            "predicateType": "https://model_signing/signature/v1.0",
            "predicate": {"serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False,
                                            "ignore_paths": [SIGNATURE]},
                          "resources": [{"name": name, "algorithm": "sha256", "digest": digest}
                                        for name, digest in files]}}


def sign(folder, key, files=None):
    payload = json.dumps(statement(folder.name, files or digests(folder))).encode()
    message = b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)
    signature = key.sign(message, ec.ECDSA(hashes.SHA256()))
    bundle = {"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
              "verificationMaterial": {"publicKey": {"hint": sha256(public_pem(key))}, "tlogEntries": []},
              "dsseEnvelope": {"payload": base64.b64encode(payload).decode(), "payloadType": PAYLOAD_TYPE,
                               "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}]}}
    (folder / SIGNATURE).write_text(json.dumps(bundle) + "\n", "ascii")


def edit_manifest(folder, **fields):
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    manifest.update(fields)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")


def edit_bundle(folder, change):
    bundle = json.loads((folder / SIGNATURE).read_text("ascii"))
    change(bundle["dsseEnvelope"])
    (folder / SIGNATURE).write_text(json.dumps(bundle) + "\n", "ascii")


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


class Maker:
    def __init__(self, base, out):
        self.base, self.out = base, out
        self.trusted, self.next = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        (out / "trusted.pub").write_bytes(public_pem(self.trusted))
        (out / "next.pub").write_bytes(public_pem(self.next))

    def new(self, name, sequence=7, **fields):
        folder = self.out / name
        shutil.copytree(self.base, folder)
        edit_manifest(folder, **{"set_id": name, "release_sequence": sequence, **fields})
        return folder

    def signed(self, name, key=None, **fields):
        folder = self.new(name, **fields)
        sign(folder, key or self.trusted)
        return folder

    def by_the_tool(self, name, *options):
        folder = self.new(name)
        with tempfile.NamedTemporaryFile(suffix=".pem") as key:
            key.write(self.trusted.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                 serialization.NoEncryption()))
            key.flush()
            subprocess.run([TOOL, "sign", "key", folder, "--private_key", key.name, "--signature", folder / SIGNATURE,
                            *options], check=True, capture_output=True)

    def accepted(self):
        self.signed("good")
        self.signed("next-key", self.next)
        self.signed("with-date", not_after="2030-01-01T00:00:00Z")
        self.new("unsigned")
        self.by_the_tool("by-the-tool", "--no-ignore-git-paths")

    def refused_signatures(self):
        self.by_the_tool("by-the-tools-defaults")
        forged = base64.b64encode(b'{"_type": "forged"}').decode()
        edit_bundle(self.signed("forged"), lambda envelope: envelope.update(payload=forged))
        edit_bundle(self.signed("two-signatures"), lambda envelope: envelope["signatures"].append(
            {"sig": "AAAA", "keyid": ""}))
        flip(self.signed("manifest-changed") / MANIFEST)
        folder = self.new("lists-differ")
        sign(folder, self.trusted, [*digests(folder), ("zzz", sha256(b"zzz"))])

    def refused_manifests(self):
        self.signed("unknown-field", comment="not in schema 1")
        self.signed("schema-2", schema=2)
        self.signed("another-id", set_id="good")

    def refused_files(self):
        (self.signed("extra-file") / "notes.txt").write_text("not listed\n", "ascii")
        next(self.signed("file-missing").glob("*.sha256")).unlink()
        flip(next((self.signed("golden-flipped") / "golden").iterdir()))
        flip(next(self.signed("engine-flipped").glob("*.engine")))


def main(program, out):
    out = pathlib.Path(out)
    with tempfile.TemporaryDirectory() as temporary:
        subprocess.run([program, "make", temporary], check=True, stdout=subprocess.DEVNULL)
        maker = Maker(pathlib.Path(temporary) / "set-1", out)
        maker.accepted()
        maker.refused_signatures()
        maker.refused_manifests()
        maker.refused_files()


if __name__ == "__main__":
    main(*sys.argv[1:])
