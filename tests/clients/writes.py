"""What boto3 writes; a runbook reads it back afterwards."""

import json
import time

from story import ACCOUNT, client, done, equal, moment, true

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "datazone.amazonaws.com", "AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        }
    ],
}
INLINE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "redshift:Describe*", "Resource": "*"}],
}
POLICY = "arn:aws:iam::aws:policy/service-role/AmazonDataZoneDomainExecutionRolePolicy"


def role():
    iam = client("iam")
    made = iam.create_role(
        RoleName="AmazonDataZoneWritten",
        AssumeRolePolicyDocument=json.dumps(TRUST),
        Description="Größe & <Maß> \"zitiert\"",
        MaxSessionDuration=7200,
        Tags=[{"Key": "owner", "Value": "a+b c/d=é"}, {"Key": "empty", "Value": ""}],
    )["Role"]
    moment("made", made["CreateDate"])
    iam.get_waiter("role_exists").wait(RoleName="AmazonDataZoneWritten")
    iam.attach_role_policy(RoleName="AmazonDataZoneWritten", PolicyArn=POLICY)
    iam.put_role_policy(
        RoleName="AmazonDataZoneWritten",
        PolicyName="inline",
        PolicyDocument=json.dumps(INLINE),
    )
    found = iam.get_role(RoleName="AmazonDataZoneWritten")["Role"]
    equal("trust", found["AssumeRolePolicyDocument"], TRUST)
    equal("description", found["Description"], "Größe & <Maß> \"zitiert\"")
    equal("session", found["MaxSessionDuration"], 7200)
    tags = {tag["Key"]: tag["Value"] for tag in iam.list_role_tags(RoleName="AmazonDataZoneWritten")["Tags"]}
    equal("tags", tags, {"owner": "a+b c/d=é", "empty": ""})
    names = iam.list_role_policies(RoleName="AmazonDataZoneWritten")["PolicyNames"]
    equal("inline policies", names, ["inline"])
    inline = iam.get_role_policy(RoleName="AmazonDataZoneWritten", PolicyName="inline")
    equal("inline policy", inline["PolicyDocument"], INLINE)
    return found["Arn"]


def pages():
    iam = client("iam")
    for number in range(7):
        iam.create_user(UserName=f"paged-{number}", Path="/paged/")
    iam.get_waiter("user_exists").wait(UserName="paged-6")
    found = iam.get_paginator("list_users").paginate(PathPrefix="/paged/", PaginationConfig={"PageSize": 3})
    sizes = [len(page["Users"]) for page in found]
    equal("pages", sizes, [3, 3, 1])
    for number in range(7):
        iam.delete_user(UserName=f"paged-{number}")
    equal("gone", iam.list_users(PathPrefix="/paged/")["Users"], [])


def secret():
    manager = client("secretsmanager")
    made = manager.create_secret(
        Name="written/by-boto3",
        Description="first",
        SecretString=json.dumps({"username": "u", "password": "p"}),
        Tags=[{"Key": "team", "Value": "data"}],
    )
    manager.put_secret_value(SecretId=made["ARN"], SecretString=json.dumps({"username": "u", "password": "q"}))
    manager.update_secret(SecretId=made["ARN"], Description="second")
    current = manager.get_secret_value(SecretId="written/by-boto3")
    equal("current", json.loads(current["SecretString"])["password"], "q")
    previous = manager.get_secret_value(SecretId="written/by-boto3", VersionStage="AWSPREVIOUS")
    equal("previous", json.loads(previous["SecretString"])["password"], "p")
    binary = manager.create_secret(Name="written/binary", SecretBinary=b"\x00\xff\x10")
    found = manager.get_secret_value(SecretId=binary["ARN"])
    equal("bytes", found["SecretBinary"], b"\x00\xff\x10")
    deleted = manager.delete_secret(SecretId=binary["ARN"], ForceDeleteWithoutRecovery=True)
    moment("deleted", deleted["DeletionDate"])


def domain(role):
    datazone = client("datazone")
    # The role has to be known everywhere first, as in AWS; the world's clock runs fast.
    deadline = time.monotonic() + 60
    while True:
        try:
            made = datazone.create_domain(
                name="written-domain", description="by boto3", domainExecutionRole=role, tags={"team": "data"}
            )
            break
        except datazone.exceptions.AccessDeniedException:
            if time.monotonic() > deadline:
                raise
    found = datazone.get_domain(identifier=made["id"])
    while found["status"] == "CREATING" and time.monotonic() < deadline:
        found = datazone.get_domain(identifier=made["id"])
    equal("domain", found["status"], "AVAILABLE")
    tags = datazone.list_tags_for_resource(resourceArn=found["arn"])["tags"]
    equal("tags", tags, {"team": "data"})
    listed = datazone.list_domains(status="AVAILABLE")["items"]
    true("listed", any(item["id"] == made["id"] for item in listed))


def session():
    session = client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/AmazonDataZoneWritten", RoleSessionName="boto3"
    )
    moment("expires", session["Credentials"]["Expiration"])
    who = client("sts", session=session["Credentials"]).get_caller_identity()
    equal("session", who["Arn"], f"arn:aws:sts::{ACCOUNT}:assumed-role/AmazonDataZoneWritten/boto3")


def batch():
    data = client("redshift-data")
    made = data.batch_execute_statement(
        ClusterIdentifier="poc-warehouse",
        Database="dev",
        DbUser="awsuser",
        Sqls=["create table written (n int, t varchar(20))", "insert into written values (1, 'é''x')", "select * from written"],
    )
    found = data.describe_statement(Id=made["Id"])
    while found["Status"] in ("SUBMITTED", "PICKED", "STARTED"):
        found = data.describe_statement(Id=made["Id"])
    equal("batch", found["Status"], "FINISHED")
    last = found["SubStatements"][2]
    equal("has rows", last["HasResultSet"], True)
    result = data.get_statement_result(Id=last["Id"])
    equal("row", result["Records"], [[{"longValue": 1}, {"stringValue": "é'x"}]])


arn = role()
pages()
secret()
session()
domain(arn)
batch()
done("writes")
