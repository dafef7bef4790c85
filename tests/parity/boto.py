"""boto3's end of the parity test: one call for each line on stdin, one answer a line on stdout.

A line in: {"service", "operation", "input", "output"}; `output` is what the server will answer, only
to tell which members this release of boto3 does not know. A line out: {"output"}, {"error"} or {"skew"}.
"""

import base64
import datetime
import json
import os
import sys

import boto3
from botocore.config import Config
from botocore.handlers import json_decode_policies

CONFIG = Config(retries={"total_max_attempts": 1})
CLIENTS = {}


def client(service):
    if service not in CLIENTS:
        session = boto3.Session(profile_name="parity")
        endpoint = os.environ["PITON_PARITY_ENDPOINT"]
        made = session.client(service, endpoint_url=endpoint, config=CONFIG)
        # Policy documents as AWS sends them: boto3 alone decodes them, and only where they are JSON.
        made.meta.events.unregister("after-call.iam", json_decode_policies)
        CLIENTS[service] = made
    return CLIENTS[service]


def given(shape, value, path, skew):
    """A value as boto3 takes it; members that its model lacks are added to `skew`."""
    if shape is None or getattr(shape, "is_document_type", False):
        return value
    kind = shape.type_name
    if kind == "structure":
        members = {}
        for name, item in value.items():
            if name in shape.members:
                members[name] = given(shape.members[name], item, f"{path}/{name}", skew)
            else:
                skew.append(f"{path}/{name}")
        return members
    if kind == "list":
        return [given(shape.member, item, f"{path}/{at}", skew) for at, item in enumerate(value)]
    if kind == "map":
        return {key: given(shape.value, item, f"{path}/{key}", skew) for key, item in value.items()}
    if kind == "blob":
        return base64.b64decode(value)
    return value


def plain(value):
    """What boto3 answered, as JSON."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, datetime.datetime):
        value = value.astimezone(datetime.timezone.utc)
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{round(value.microsecond / 1000):03}Z"
    if hasattr(value, "read"):
        value = value.read()
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    return value


def answer(asked):
    caller = client(asked["service"])
    names = {api: name for name, api in caller.meta.method_to_api_mapping.items()}
    if asked["operation"] not in names:
        return {"skew": [asked["operation"]]}
    model = caller.meta.service_model.operation_model(asked["operation"])
    skew = []
    arguments = given(model.input_shape, asked["input"], "", skew)
    given(model.output_shape, asked["output"], "answer", skew)
    if skew:
        return {"skew": skew}
    output = getattr(caller, names[asked["operation"]])(**arguments)
    output.pop("ResponseMetadata")
    return {"output": plain(output)}


for line in sys.stdin:
    try:
        told = answer(json.loads(line))
    except Exception as error:  # Whatever it is, it is what boto3 says.
        told = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(told), flush=True)
