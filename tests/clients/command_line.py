"""The AWS CLI, with its own parsers and output: the same story once more, through a shell."""

import datetime
import json
import os
import re
import subprocess

from story import ACCOUNT, ENDPOINT, OUTPUTS, PEOPLE, REGION, done, equal, thing, true

DOMAIN = thing("domain", "poc-domain")
PUBLISH = thing("project", "poc-publish")


def aws(*words, alias="admin", fails=False):
    """What a command of the AWS CLI prints: its document, or its complaint when it must fail."""
    person = PEOPLE[alias]
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": ENDPOINT,
        "AWS_DEFAULT_REGION": person["region"],
        "AWS_ACCESS_KEY_ID": person["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": person["secret_access_key"],
        "AWS_PAGER": "",
        "AWS_MAX_ATTEMPTS": "1",
    }
    told = subprocess.run(
        ["aws", "--output", "json", *words], env=environment, capture_output=True, text=True, check=False
    )
    # A refusal by the service is 254 in version 2, and 255 in version 1.
    codes = (254, 255) if fails else (0,)
    true(f"exit code {told.returncode} of {words}: {told.stderr}", told.returncode in codes)
    if fails:
        return told.stderr
    return json.loads(told.stdout) if told.stdout.strip() else None


def moment(what, text):
    # Version 1 of the CLI shows a timestamp as it was sent: a number where the protocol is JSON.
    if isinstance(text, float | int):
        text = datetime.datetime.fromtimestamp(text).isoformat()
    true(f"{what}: {text}", bool(re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d", text)))


who = aws("sts", "get-caller-identity", alias="producer")
equal("identity", who["Arn"], PEOPLE["producer"]["arn"])
equal("account", who["Account"], ACCOUNT)

projects = aws("datazone", "list-projects", "--domain-identifier", DOMAIN)["items"]
equal("project", [item["id"] for item in projects if item["name"] == "poc-publish"], [PUBLISH])
moment("project", projects[0]["createdAt"])
environment = aws(
    "datazone", "get-environment", "--domain-identifier", DOMAIN,
    "--identifier", thing("environment", "poc-publish-env"), alias="producer",
)  # fmt: skip
equal("environment", environment["status"], "ACTIVE")
moment("environment", environment["createdAt"])
sources = aws(
    "datazone", "list-data-sources", "--domain-identifier", DOMAIN, "--project-identifier", PUBLISH,
    alias="producer",
)["items"]  # fmt: skip
true("source", any(item["name"] == "poc-redshift-source" for item in sources))
listings = aws("datazone", "search-listings", "--domain-identifier", DOMAIN, alias="consumer")
equal("listings", listings["totalMatchCount"], 2)
asset = aws(
    "datazone", "get-asset", "--domain-identifier", DOMAIN,
    "--identifier", listings["items"][0]["assetListing"]["entityId"], alias="producer",
)  # fmt: skip
equal("asset", asset["owningProjectId"], PUBLISH)

cluster = OUTPUTS["warehouse"]["name"]
found = aws("redshift", "describe-clusters", "--cluster-identifier", cluster)["Clusters"][0]
equal("cluster", [found["Encrypted"], found["NumberOfNodes"]], [True, 2])
moment("cluster", found["ClusterCreateTime"])
statement = aws(
    "redshift-data", "execute-statement", "--cluster-identifier", cluster, "--database", "dev",
    "--db-user", "awsuser", "--sql", "select cust_nm, cust_id > 1 as later from sales.customers order by cust_id",
)["Id"]  # fmt: skip
described = {"Status": "STARTED"}
while described["Status"] in ("SUBMITTED", "PICKED", "STARTED"):
    described = aws("redshift-data", "describe-statement", "--id", statement)
equal("statement", [described["Status"], described["ResultRows"]], ["FINISHED", 4])
moment("statement", described["CreatedAt"])
rows = aws("redshift-data", "get-statement-result", "--id", statement)["Records"]
equal("first row", rows[0], [{"stringValue": "Northwind Clinic"}, {"booleanValue": False}])
equal("second row", rows[1][1], {"booleanValue": True})

secrets = aws("secretsmanager", "list-secrets", "--filters", "Key=name,Values=poc/")["SecretList"]
equal("secrets", [secret["Name"] for secret in secrets], ["poc/warehouse-admin"])
secret = aws("secretsmanager", "describe-secret", "--secret-id", "poc/warehouse-admin")
true("tag", {"Key": "AmazonDataZoneDomain", "Value": DOMAIN} in secret["Tags"])
moment("secret", secret["CreatedDate"])

execution = aws("datazone", "get-domain", "--identifier", DOMAIN)["domainExecutionRole"]
name = execution.rsplit("/", 1)[1]
role = aws("iam", "get-role", "--role-name", name)["Role"]
equal("role", role["Arn"], execution)
equal("trust", role["AssumeRolePolicyDocument"]["Version"], "2012-10-17")
moment("role", role["CreateDate"])
attached = aws("iam", "list-attached-role-policies", "--role-name", name)["AttachedPolicies"]
equal("policy", attached[0]["PolicyName"], "AmazonDataZoneDomainExecutionRolePolicy")

complaint = aws("iam", "get-role", "--role-name", "nobody", fails=True)
true(complaint, "(NoSuchEntity) when calling the GetRole operation" in complaint)
complaint = aws("secretsmanager", "describe-secret", "--secret-id", "none", fails=True)
true(complaint, "(ResourceNotFoundException) when calling the DescribeSecret operation" in complaint)
complaint = aws("datazone", "get-domain", "--identifier", "dzd-none1", fails=True)
true(complaint, "(AccessDeniedException) when calling the GetDomain operation" in complaint)
done("command line")
