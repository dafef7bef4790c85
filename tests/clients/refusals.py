"""Refusals, as boto3's own exception classes, with the status and message that callers branch on."""

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from story import ENDPOINT, OUTPUTS, PEOPLE, REGION, client, done, equal, refused, thing

DOMAIN = thing("domain", "poc-domain")
PUBLISH = thing("project", "poc-publish")
LAX = Config(parameter_validation=False, retries={"mode": "standard", "max_attempts": 1})


def code(error, expected):
    equal("code", error.response["Error"]["Code"], expected)


def iam():
    iam = client("iam")
    kinds = iam.exceptions
    error = refused("no role", lambda: iam.get_role(RoleName="nobody"), kinds.NoSuchEntityException, 404, "nobody")
    code(error, "NoSuchEntity")
    equal("type", error.response["Error"]["Type"], "Sender")
    refused(
        "user twice",
        lambda: iam.create_user(UserName="producer-datazone"),
        kinds.EntityAlreadyExistsException,
        409,
        "producer-datazone",
    )
    refused(
        "user with policies",
        lambda: iam.delete_user(UserName="producer-datazone"),
        kinds.DeleteConflictException,
        409,
    )
    refused(
        "no JSON",
        lambda: iam.create_role(RoleName="odd", AssumeRolePolicyDocument="{"),
        kinds.MalformedPolicyDocumentException,
        400,
    )
    error = refused("no such operation here", lambda: iam.create_saml_provider(SAMLMetadataDocument="x" * 1000, Name="x"), ClientError, 501)
    code(error, "NotImplementedInSandbox")
    error = refused("consumer in IAM", lambda: client("iam", "consumer").create_user(UserName="x"), ClientError, 403, "iam:CreateUser")
    code(error, "AccessDenied")


def secretsmanager():
    manager = client("secretsmanager")
    kinds = manager.exceptions
    refused(
        "no secret",
        lambda: manager.describe_secret(SecretId="none"),
        kinds.ResourceNotFoundException,
        400,
        "Secrets Manager can't find the specified secret",
    )
    refused(
        "secret twice",
        lambda: manager.create_secret(Name="poc/warehouse-admin", SecretString="x"),
        kinds.ResourceExistsException,
        400,
    )
    manager.create_secret(Name="refusals/gone", SecretString="x")
    manager.delete_secret(SecretId="refusals/gone", RecoveryWindowInDays=7)
    refused(
        "deleted secret",
        lambda: manager.get_secret_value(SecretId="refusals/gone"),
        kinds.InvalidRequestException,
        400,
        "marked for deletion",
    )
    refused(
        "two windows",
        lambda: manager.delete_secret(
            SecretId="refusals/gone", RecoveryWindowInDays=7, ForceDeleteWithoutRecovery=True
        ),
        kinds.InvalidParameterException,
        400,
    )


def datazone():
    datazone = client("datazone")
    kinds = datazone.exceptions
    refused("no domain", lambda: datazone.get_domain(identifier="dzd-none1"), kinds.AccessDeniedException, 403)
    role = datazone.get_domain(identifier=DOMAIN)["domainExecutionRole"]
    refused(
        "domain twice",
        lambda: datazone.create_domain(name="poc-domain", domainExecutionRole=role),
        kinds.ConflictException,
        409,
    )
    producer = client("datazone", "producer")
    refused(
        "no data source",
        lambda: producer.get_data_source(domainIdentifier=DOMAIN, identifier="dts-none"),
        producer.exceptions.ResourceNotFoundException,
        404,
    )
    refused(
        "another's project",
        lambda: client("datazone", "consumer").update_project(domainIdentifier=DOMAIN, identifier=PUBLISH, description="mine"),
        ClientError,
        403,
    )
    lax = boto3.client(
        "datazone",
        region_name=REGION,
        endpoint_url=ENDPOINT,
        config=LAX,
        aws_access_key_id=PEOPLE["admin"]["access_key_id"],
        aws_secret_access_key=PEOPLE["admin"]["secret_access_key"],
    )
    refused(
        "a member is missing",
        lambda: lax.create_project(domainIdentifier=DOMAIN),
        lax.exceptions.ValidationException,
        400,
        "name",
    )


def redshift():
    redshift = client("redshift")
    error = refused(
        "no cluster",
        lambda: redshift.describe_clusters(ClusterIdentifier="none"),
        redshift.exceptions.ClusterNotFoundFault,
        404,
    )
    code(error, "ClusterNotFound")
    data = client("redshift-data")
    refused(
        "no statement",
        lambda: data.describe_statement(Id="00000000-0000-0000-0000-000000000000"),
        data.exceptions.ResourceNotFoundException,
        400,
    )
    refused(
        "no such cluster",
        lambda: data.execute_statement(ClusterIdentifier="none", Database="dev", DbUser="awsuser", Sql="select 1"),
        data.exceptions.ValidationException,
        400,
    )
    started = data.execute_statement(
        ClusterIdentifier=OUTPUTS["warehouse"]["name"], Database="dev", DbUser="awsuser", Sql="select * from nowhere"
    )
    described = data.describe_statement(Id=started["Id"])
    while described["Status"] in ("SUBMITTED", "PICKED", "STARTED"):
        described = data.describe_statement(Id=started["Id"])
    equal("failed", described["Status"], "FAILED")
    equal("error", described["Error"], 'ERROR: relation "nowhere" does not exist')
    refused(
        "result of a failure",
        lambda: data.get_statement_result(Id=started["Id"]),
        data.exceptions.ResourceNotFoundException,
        400,
    )


def sign_in():
    def stranger(service):
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=ENDPOINT,
            config=LAX,
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="x",
        )

    error = refused("unknown key", stranger("sts").get_caller_identity, ClientError, 403)
    code(error, "InvalidClientTokenId")
    error = refused("unknown key", stranger("iam").list_roles, ClientError, 403)
    code(error, "InvalidClientTokenId")
    error = refused("unknown key", stranger("secretsmanager").list_secrets, ClientError, 400)
    code(error, "UnrecognizedClientException")
    error = refused("unknown key", stranger("datazone").list_domains, ClientError, 403)
    code(error, "UnrecognizedClientException")
    sts = client("sts", "consumer")
    execution = client("datazone").get_domain(identifier=DOMAIN)["domainExecutionRole"]
    error = refused(
        "a role that does not trust",
        lambda: sts.assume_role(RoleArn=execution, RoleSessionName="stranger"),
        ClientError,
        403,
        "sts:AssumeRole",
    )
    code(error, "AccessDenied")


def unknown_service():
    error = refused("a service that is not here", client("kinesis").list_streams, ClientError, 501, "kinesis")
    code(error, "NotImplementedInSandbox")
    error = refused("an XML one", client("sns").list_topics, ClientError, 501)
    code(error, "NotImplementedInSandbox")


iam()
secretsmanager()
datazone()
redshift()
sign_in()
unknown_service()
done("refusals")
