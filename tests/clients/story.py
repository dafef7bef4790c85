"""What the scripts beside this one share: the story they read about, and clients for its people.

The first argument of each script is a JSON file with `endpoint`, `people` (as `sandbox serve --json`
prints them) and `outputs` (of the run that made the world what it is).
"""

import datetime
import json
import sys

import boto3
from botocore.config import Config

with open(sys.argv[1], encoding="utf-8") as file:
    STORY = json.load(file)

ENDPOINT = STORY["endpoint"]
PEOPLE = {person["alias"]: person for person in STORY["people"]}
OUTPUTS = STORY.get("outputs", {})
ADMIN = STORY["people"][0]["alias"]
ACCOUNT = PEOPLE[ADMIN]["account"]
REGION = PEOPLE[ADMIN]["region"]

CHECKS = 0


def client(service, alias=ADMIN, session=None):
    """A client of one person, or of a session's credentials, as boto3 makes it for AWS itself."""
    person = PEOPLE[alias]
    keys = {
        "aws_access_key_id": person["access_key_id"],
        "aws_secret_access_key": person["secret_access_key"],
    }
    if session:
        keys = {
            "aws_access_key_id": session["AccessKeyId"],
            "aws_secret_access_key": session["SecretAccessKey"],
            "aws_session_token": session["SessionToken"],
        }
    config = Config(retries={"mode": "standard", "max_attempts": 1}, parameter_validation=True)
    return boto3.client(
        service, region_name=person["region"], endpoint_url=ENDPOINT, config=config, **keys
    )


def thing(what, name):
    """The id of something that the run made or found."""
    return next(t["id"] for t in OUTPUTS["things"] if (t["what"], t["name"]) == (what, name))


def equal(what, actual, expected):
    """A value is what it should be, and of its type: True is not 1."""
    global CHECKS
    CHECKS += 1
    if actual != expected or type(actual) is not type(expected):
        sys.exit(f"{what}: {actual!r} instead of {expected!r}")


def true(what, value):
    global CHECKS
    CHECKS += 1
    if value is not True:
        sys.exit(f"{what}: {value!r}")


def moment(what, value):
    """A timestamp is a moment with a time zone, and of this century's first half."""
    global CHECKS
    CHECKS += 1
    if not isinstance(value, datetime.datetime) or value.tzinfo is None or not 2020 < value.year < 2050:
        sys.exit(f"{what} is no moment: {value!r}")


def integer(what, value):
    global CHECKS
    CHECKS += 1
    if type(value) is not int:
        sys.exit(f"{what} is no whole number: {value!r}")


def refused(what, call, exception, status, message=None):
    """A call is refused with this class of the client's own exceptions."""
    global CHECKS
    CHECKS += 1
    try:
        call()
    except exception as error:
        answer = error.response
        got = answer["ResponseMetadata"]["HTTPStatusCode"]
        if got != status:
            sys.exit(f"{what}: HTTP {got} instead of {status}")
        if not answer["Error"].get("Message"):
            sys.exit(f"{what}: no message")
        if message and message not in answer["Error"]["Message"]:
            sys.exit(f"{what}: {answer['Error']['Message']!r} does not say {message!r}")
        if not answer["ResponseMetadata"].get("RequestId"):
            sys.exit(f"{what}: no request id")
        return error
    except Exception as error:
        sys.exit(f"{what}: {type(error)} {error} instead of {exception}")
    sys.exit(f"{what}: not refused")


def done(what):
    print(f"{what}: {CHECKS} checks")
