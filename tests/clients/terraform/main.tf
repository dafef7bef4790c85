# Terraform's own provider against the sandbox: identity, a role that DataZone takes, a domain. A data
# lake is in `lake.tf`.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "endpoint" { type = string }
variable "region" { type = string }
variable "access_key" { type = string }
variable "secret_key" { type = string }

provider "aws" {
  region                      = var.region
  access_key                  = var.access_key
  secret_key                  = var.secret_key
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_credentials_validation = false
  s3_use_path_style           = true

  endpoints {
    athena         = var.endpoint
    datazone       = var.endpoint
    glue           = var.endpoint
    iam            = var.endpoint
    s3             = var.endpoint
    secretsmanager = var.endpoint
    sts            = var.endpoint
  }
}

data "aws_caller_identity" "here" {}

resource "aws_iam_role" "execution" {
  name = "AmazonDataZoneTerraform"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "datazone.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
    }]
  })
  tags = { made-by = "terraform" }
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonDataZoneDomainExecutionRolePolicy"
}

resource "aws_secretsmanager_secret" "warehouse" {
  name                    = "terraform/warehouse"
  recovery_window_in_days = 0
}

resource "aws_datazone_domain" "domain" {
  name                  = "terraform-domain"
  domain_execution_role = aws_iam_role.execution.arn
  depends_on            = [aws_iam_role_policy_attachment.execution]
}

resource "aws_datazone_project" "project" {
  name                = "terraform-project"
  domain_identifier   = aws_datazone_domain.domain.id
  skip_deletion_check = true
}

output "account" { value = data.aws_caller_identity.here.account_id }
output "domain" { value = aws_datazone_domain.domain.id }
output "project" { value = aws_datazone_project.project.id }
