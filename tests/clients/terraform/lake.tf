# A bucket with its settings, a database with a table, a workgroup.

resource "aws_s3_bucket" "lake" {
  bucket        = "lake-of-terraform"
  force_destroy = true
  tags          = { made-by = "terraform" }
}

resource "aws_s3_bucket_public_access_block" "lake" {
  bucket                  = aws_s3_bucket.lake.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "lake" {
  bucket = aws_s3_bucket.lake.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_policy" "lake" {
  bucket = aws_s3_bucket.lake.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.here.account_id}:root" }
      Action    = "s3:GetObject"
      Resource  = "${aws_s3_bucket.lake.arn}/*"
    }]
  })
}

resource "aws_s3_object" "people" {
  bucket  = aws_s3_bucket.lake.id
  key     = "people/a.csv"
  content = "1,Ann\n"
}

resource "aws_glue_catalog_database" "lake" {
  name        = "lake_of_terraform"
  description = "made by terraform"
  tags        = { made-by = "terraform" }
}

resource "aws_glue_catalog_table" "people" {
  name          = "people"
  database_name = aws_glue_catalog_database.lake.name
  table_type    = "EXTERNAL_TABLE"
  parameters    = { classification = "csv" }
  storage_descriptor {
    location      = "s3://${aws_s3_bucket.lake.id}/people/"
    input_format  = "org.apache.hadoop.mapred.TextInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
      parameters            = { "field.delim" = "," }
    }
    columns {
      name = "id"
      type = "int"
    }
    columns {
      name = "name"
      type = "string"
    }
  }
}

resource "aws_athena_workgroup" "lake" {
  name          = "lake-of-terraform"
  force_destroy = true
  configuration {
    result_configuration {
      output_location = "s3://${aws_s3_bucket.lake.id}/results/"
    }
  }
  tags = { made-by = "terraform" }
}

resource "aws_athena_named_query" "people" {
  name      = "everybody"
  workgroup = aws_athena_workgroup.lake.id
  database  = aws_glue_catalog_database.lake.name
  query     = "SELECT * FROM people"
}
