"""A data lake as boto3 makes, fills, queries and removes one, and what the AWS CLI sees of it."""

import io
import json
import os
import subprocess
import time
import urllib.request

import boto3
from botocore.config import Config

from story import ACCOUNT, ENDPOINT, PEOPLE, REGION, client, done, equal, integer, moment, refused, true

BUCKET = "lake-of-boto3"


def s3_of(region, **settings):
    """A client of the administrator's for another region than their own, or with other settings."""
    admin = PEOPLE["admin"]
    return boto3.client(
        "s3",
        region_name=region,
        endpoint_url=ENDPOINT,
        aws_access_key_id=admin["access_key_id"],
        aws_secret_access_key=admin["secret_access_key"],
        config=Config(**settings),
    )


def command_line(*words):
    """What the AWS CLI answers, as JSON or text."""
    admin = PEOPLE["admin"]
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": admin["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": admin["secret_access_key"],
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": ENDPOINT,
        "AWS_PAGER": "",
    }
    told = subprocess.run(["aws", *words], env=environment, capture_output=True, text=True)
    if told.returncode != 0:
        raise SystemExit(f"aws {' '.join(words)}: {told.returncode}: {told.stderr}")
    return told.stdout


def buckets():
    s3 = client("s3")
    s3.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    s3.get_waiter("bucket_exists").wait(Bucket=BUCKET)
    refused(
        "a name that is taken",
        lambda: s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        ),
        s3.exceptions.BucketAlreadyOwnedByYou,
        409,
    )
    equal("place", s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"], REGION)
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "a+b", "Value": "c d/é"}]})
    equal("tags", s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"], [{"Key": "a+b", "Value": "c d/é"}])
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    true("listed", BUCKET in names)
    error = refused(
        "no object", lambda: s3.get_object(Bucket=BUCKET, Key="none"), s3.exceptions.NoSuchKey, 404
    )
    equal("code", error.response["Error"]["Code"], "NoSuchKey")
    # A client that believes the bucket to be elsewhere is led to it.
    elsewhere = s3_of("us-east-1" if REGION != "us-east-1" else "eu-west-1")
    equal("from elsewhere", elsewhere.head_bucket(Bucket=BUCKET)["BucketRegion"], REGION)


def objects():
    s3 = client("s3")
    body = "Größe,1\r\n".encode() + bytes(range(256))
    put = s3.put_object(
        Bucket=BUCKET, Key="a b/ü+%&=.bin", Body=body, Metadata={"owner": "admin"}, ContentType="x/y"
    )
    found = s3.get_object(Bucket=BUCKET, Key="a b/ü+%&=.bin")
    equal("body", found["Body"].read(), body)
    equal("digest", found["ETag"], put["ETag"])
    equal("metadata", found["Metadata"], {"owner": "admin"})
    equal("type", found["ContentType"], "x/y")
    moment("written", found["LastModified"])
    head = s3.head_object(Bucket=BUCKET, Key="a b/ü+%&=.bin")
    equal("size", head["ContentLength"], len(body))
    s3.upload_fileobj(io.BytesIO(b"x" * 100_000), BUCKET, "many/big")
    for number in range(5):
        s3.put_object(Bucket=BUCKET, Key=f"many/{number}", Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix="many/", PaginationConfig={"PageSize": 2}
    )
    keys = [item["Key"] for page in pages for item in page["Contents"]]
    equal("keys", keys, [f"many/{number}" for number in range(5)] + ["many/big"])
    listed = s3.list_objects_v2(Bucket=BUCKET, Delimiter="/")
    equal("folders", [one["Prefix"] for one in listed["CommonPrefixes"]], ["a b/", "many/"])
    deleted = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys]})
    equal("deleted", len(deleted["Deleted"]), len(keys))
    presigned = s3_of(REGION, signature_version="s3v4").generate_presigned_url(
        "get_object", Params={"Bucket": BUCKET, "Key": "a b/ü+%&=.bin"}
    )
    with urllib.request.urlopen(presigned) as answer:
        equal("presigned", answer.read(), body)


def catalogue():
    glue = client("glue")
    glue.create_database(DatabaseInput={"Name": "Lake", "LocationUri": f"s3://{BUCKET}/lake/"})
    found = glue.get_database(Name="lake")["Database"]
    equal("name", found["Name"], "lake")
    equal("catalogue", found["CatalogId"], ACCOUNT)
    moment("made", found["CreateTime"])
    refused(
        "a database again",
        lambda: glue.create_database(DatabaseInput={"Name": "lake"}),
        glue.exceptions.AlreadyExistsException,
        400,
    )
    refused(
        "no table",
        lambda: glue.get_table(DatabaseName="lake", Name="none"),
        glue.exceptions.EntityNotFoundException,
        400,
    )


def statement(sql):
    athena = client("athena")
    started = athena.start_query_execution(
        QueryString=sql,
        QueryExecutionContext={"Database": "lake"},
        ResultConfiguration={"OutputLocation": f"s3://{BUCKET}/results/"},
    )["QueryExecutionId"]
    while True:
        found = athena.get_query_execution(QueryExecutionId=started)["QueryExecution"]
        if found["Status"]["State"] not in ("QUEUED", "RUNNING"):
            return found
        time.sleep(0.05)


def queries():
    athena = client("athena")
    made = statement(
        "CREATE TABLE sales AS SELECT 1 AS id, CAST(9.5 AS DECIMAL(7,2)) AS amount, 'one' AS note "
        "UNION ALL SELECT 2, 12, NULL"
    )
    equal("state", made["Status"]["State"], "SUCCEEDED")
    equal("kind", made["StatementType"], "DDL")
    moment("done", made["Status"]["CompletionDateTime"])
    integer("took", made["Statistics"]["TotalExecutionTimeInMillis"])
    columns = client("glue").get_table(DatabaseName="lake", Name="sales")["Table"]["StorageDescriptor"]["Columns"]
    equal(
        "columns",
        [(column["Name"], column["Type"]) for column in columns],
        [("id", "int"), ("amount", "decimal(12,2)"), ("note", "varchar(3)")],
    )
    selected = statement("SELECT id, amount, note FROM sales ORDER BY id")
    pages = athena.get_paginator("get_query_results").paginate(
        QueryExecutionId=selected["QueryExecutionId"], PaginationConfig={"PageSize": 2}
    )
    rows = [
        [cell.get("VarCharValue") for cell in row["Data"]]
        for page in pages
        for row in page["ResultSet"]["Rows"]
    ]
    equal("rows", rows, [["id", "amount", "note"], ["1", "9.50", "one"], ["2", "12.00", None]])
    key = selected["ResultConfiguration"]["OutputLocation"].removeprefix(f"s3://{BUCKET}/")
    text = client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
    equal("object", text, '"id","amount","note"\n"1","9.50","one"\n"2","12.00",\n')
    failed = statement("SELECT * FROM nothing")
    equal("failed", failed["Status"]["State"], "FAILED")
    true("reason", failed["Status"]["StateChangeReason"].startswith("TABLE_NOT_FOUND"))
    refused(
        "no place for results",
        lambda: athena.start_query_execution(QueryString="SELECT 1"),
        athena.exceptions.InvalidRequestException,
        400,
        "No output location provided",
    )


def on_the_command_line():
    with open("from-the-command-line.txt", "w", encoding="utf-8") as file:
        file.write("é\n")
    command_line("s3", "cp", "from-the-command-line.txt", f"s3://{BUCKET}/cli/a.txt")
    listed = command_line("s3", "ls", f"s3://{BUCKET}/cli/")
    true("listed", listed.strip().endswith("3 a.txt"))
    equal("read", command_line("s3", "cp", f"s3://{BUCKET}/cli/a.txt", "-"), "é\n")
    tables = json.loads(command_line("glue", "get-tables", "--database-name", "lake"))
    equal("tables", [table["Name"] for table in tables["TableList"]], ["sales"])
    groups = json.loads(command_line("athena", "list-work-groups"))
    true("workgroups", "primary" in [group["Name"] for group in groups["WorkGroups"]])
    command_line("s3", "rm", f"s3://{BUCKET}", "--recursive")
    command_line("glue", "delete-database", "--name", "lake")
    command_line("s3", "rb", f"s3://{BUCKET}")


buckets()
objects()
catalogue()
queries()
on_the_command_line()
done("boto3 and the AWS CLI on a data lake")
