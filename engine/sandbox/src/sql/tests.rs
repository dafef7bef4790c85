//! A corpus of Redshift statements with the results that Redshift gives.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use rusqlite::Connection;
use time::macros::datetime;

use super::{
    Cell, Grantee, Privilege, ResultSet, SharedRelation, SqlError, SqlType, Warehouse, parse,
};
use crate::world::{SCHEMA, Scope, World};

const NAMESPACE: &str = "11111111-2222-3333-4444-555555555555";

fn connection() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    connection
}

fn world(connection: &Connection) -> World<'_> {
    World::new(connection, datetime!(2026-03-04 05:06:07 UTC))
}

fn scope() -> Scope {
    Scope::new("111111111111", "eu-west-1")
}

fn warehouse<'w>(world: &'w World<'w>) -> Warehouse<'w> {
    let mut warehouse =
        Warehouse::create(world, &scope(), NAMESPACE, "dev", "awsuser", Some("Secret-1"));
    run_script(&mut warehouse, SALES).unwrap();
    warehouse
}

fn run_script(warehouse: &mut Warehouse<'_>, script: &str) -> Result<(), SqlError> {
    warehouse.atomically(|warehouse| {
        for statement in parse::statements(script, &[])? {
            warehouse.run("awsuser", "dev", statement)?;
        }
        Ok(())
    })
}

const SALES: &str = "
    CREATE TABLE sales (
      id integer NOT NULL ENCODE az64 DISTKEY, region varchar(16) ENCODE lzo, sold date SORTKEY,
      amount numeric(12,2) DEFAULT 0, paid boolean, note varchar(20)) DISTSTYLE KEY;
    INSERT INTO sales VALUES
      (1, 'north', '2026-01-05', 10.10, true, 'first'),
      (2, 'north', '2026-01-20', 0.20, false, NULL),
      (3, 'south', '2026-02-01', 5.005, true, 'it''s'),
      (4, 'east', NULL, 100, NULL, 'A_b%');
    CREATE TABLE regions (region varchar(16), manager varchar(32));
    INSERT INTO regions VALUES ('north', 'Ada'), ('south', 'Grace'), ('west', 'Linus');
";

/// A result as text: cells joined by `|`, rows by `; `; a change as its count.
fn shown(result: &ResultSet) -> String {
    if !result.is_query {
        return result.affected.to_string();
    }
    let cell = |cell: &Cell| match cell {
        Cell::Null => "NULL".to_owned(),
        Cell::Bool(truth) => truth.to_string(),
        Cell::Int(number) => number.to_string(),
        Cell::Float(number) => format!("{number:?}"),
        Cell::Text(text) => format!("'{text}'"),
    };
    let rows: Vec<String> =
        result.rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().join("|")).collect();
    rows.join("; ")
}

fn answer(warehouse: &mut Warehouse<'_>, user: &str, sql: &str) -> String {
    match warehouse.execute(user, "dev", sql, &[]) {
        Ok(result) => shown(&result),
        Err(error) => error.to_string(),
    }
}

/// Runs the statements one after the other against the sales tables.
fn check(corpus: &[(&str, &str)]) {
    let connection = connection();
    let world = world(&connection);
    let mut warehouse = warehouse(&world);
    let mut surprises = vec![];
    for (sql, expected) in corpus {
        let found = answer(&mut warehouse, "awsuser", sql);
        if found != *expected {
            surprises.push(format!("{sql}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

#[test]
fn queries_give_redshift_s_rows_and_types() {
    check(&[
        ("SELECT 1", "1"),
        ("SELECT id, amount FROM sales WHERE region = 'north' ORDER BY id", "1|'10.10'; 2|'0.20'"),
        (
            "SELECT * FROM \"dev\".\"public\".\"sales\" WHERE id = 3",
            "3|'south'|'2026-02-01'|'5.01'|true|'it's'",
        ),
        ("SELECT sales.id, public.sales.id FROM sales WHERE dev.public.sales.id = 1", "1|1"),
        (
            "SELECT region, count(*), sum(amount), avg(amount) FROM sales GROUP BY region ORDER BY 1",
            "'east'|1|'100.00'|'100.00'; 'north'|2|'10.30'|'5.15'; 'south'|1|'5.01'|'5.01'",
        ),
        (
            "SELECT region AS r, sum(id) s FROM sales GROUP BY r HAVING sum(id) > 2 ORDER BY s DESC, r",
            "'east'|4; 'north'|3; 'south'|3",
        ),
        ("SELECT TOP 2 id FROM sales ORDER BY id DESC", "4; 3"),
        ("SELECT id FROM sales ORDER BY sold", "1; 2; 3; 4"),
        ("SELECT id FROM sales ORDER BY sold DESC LIMIT 2", "4; 3"),
        ("SELECT id FROM sales ORDER BY id LIMIT 2 OFFSET 1", "2; 3"),
        (
            "SELECT DISTINCT region FROM sales WHERE region <> 'east' ORDER BY region",
            "'north'; 'south'",
        ),
        (
            "SELECT id FROM sales WHERE sold BETWEEN '2026-01-10' AND '2026-02-01' ORDER BY id",
            "2; 3",
        ),
        ("SELECT id FROM sales WHERE paid ORDER BY id", "1; 3"),
        ("SELECT id FROM sales WHERE paid IS NOT TRUE ORDER BY id", "2; 4"),
        (
            "SELECT s.id, r.manager FROM sales s JOIN regions r ON s.region = r.region ORDER BY s.id",
            "1|'Ada'; 2|'Ada'; 3|'Grace'",
        ),
        (
            "SELECT id, manager FROM sales LEFT JOIN regions USING (region) ORDER BY id DESC LIMIT 2",
            "4|NULL; 3|'Grace'",
        ),
        (
            "SELECT region, id FROM sales FULL OUTER JOIN regions USING (region) WHERE id IS NULL OR manager IS NULL ORDER BY 1",
            "'east'|4; 'west'|NULL",
        ),
        ("SELECT count(*) FROM sales, regions WHERE sales.region = regions.region", "3"),
        (
            "SELECT region FROM regions WHERE NOT EXISTS (SELECT 1 FROM sales s WHERE s.region = regions.region)",
            "'west'",
        ),
        (
            "SELECT region FROM regions WHERE region IN (SELECT region FROM sales) ORDER BY 1",
            "'north'; 'south'",
        ),
        ("SELECT (SELECT max(amount) FROM sales) AS m", "'100.00'"),
        (
            "WITH totals AS (SELECT region, sum(amount) AS total FROM sales GROUP BY region) SELECT max(total) FROM totals",
            "'100.00'",
        ),
        (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4) SELECT sum(i) FROM n",
            "10",
        ),
        (
            "SELECT id, row_number() OVER (PARTITION BY region ORDER BY id DESC) AS rn FROM sales QUALIFY rn = 1 ORDER BY id",
            "2|1; 3|1; 4|1",
        ),
        (
            "SELECT id, sum(amount) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) FROM sales ORDER BY id",
            "1|'10.10'; 2|'10.30'; 3|'15.31'; 4|'115.31'",
        ),
        ("SELECT id, lag(id, 1) OVER (ORDER BY id) FROM sales ORDER BY id LIMIT 2", "1|NULL; 2|1"),
        (
            "SELECT LISTAGG(region, ',') WITHIN GROUP (ORDER BY region DESC) FROM regions",
            "'west,south,north'",
        ),
        (
            "SELECT LISTAGG(DISTINCT region, '+') WITHIN GROUP (ORDER BY region) FROM sales",
            "'east+north+south'",
        ),
        (
            "SELECT median(amount), stddev_pop(id), APPROXIMATE COUNT(DISTINCT region) FROM sales",
            "'7.56'|1.118033988749895|3",
        ),
        ("SELECT id FROM sales UNION ALL SELECT 9 ORDER BY 1 DESC LIMIT 2", "9; 4"),
        ("SELECT 1 UNION SELECT 1.5 ORDER BY 1", "'1.0'; '1.5'"),
        ("SELECT region FROM sales EXCEPT SELECT region FROM regions", "'east'"),
        (
            "SELECT amount * 2 AS double_amount, double_amount + 1 FROM sales WHERE id = 1",
            "'20.20'|'21.20'",
        ),
        ("SELECT column1 FROM (VALUES (1, 'a'), (2, 'b')) v WHERE column2 = 'b'", "2"),
        ("SELECT t.x FROM (SELECT id AS x FROM sales) t (x) WHERE t.x > 3", "4"),
        (
            "SELECT CASE WHEN amount > 50 THEN 'big' ELSE 'small' END AS size, count(*) FROM sales GROUP BY 1 ORDER BY 1",
            "'big'|1; 'small'|3",
        ),
    ]);
}

#[test]
fn numbers_and_casts_are_redshift_s() {
    check(&[
        ("SELECT 7 / 2, 7 % 2, 7.0 / 2, -7 / 2", "3|1|'3.500000000000'|-3"),
        ("SELECT 0.1 + 0.2 = 0.3, 1.005::numeric(5,2), 2.5::int, -2.5::int", "true|'1.01'|3|-3"),
        (
            "SELECT CAST('12.345' AS numeric(12,2)), '42'::int, 42::varchar, 1.50::varchar(8)",
            "'12.35'|42|'42'|'1.50'",
        ),
        (
            "SELECT 'abcdef'::varchar(3), 'true'::bool, 0::bool, true::varchar",
            "'abc'|true|false|'true'",
        ),
        ("SELECT 3::float8 / 2, 2 ^ 10, sqrt(16), power(2, 3)", "1.5|1024.0|4.0|8.0"),
        (
            "SELECT round(2.675, 2), trunc(2.679, 2), ceil(1.2), floor(-1.2), abs(-3), sign(-2.5), mod(7, 3)",
            "'2.68'|'2.67'|'2'|'-2'|3|'-1.0'|1",
        ),
        (
            "SELECT 9999999999, 1e3, 12345678901234567890",
            "9999999999|1000.0|'12345678901234567168'",
        ),
        ("SELECT greatest(1, 5, 3), least('b', 'a'), greatest(NULL, 2)", "5|'a'|2"),
        (
            "SELECT coalesce(NULL, 2), nvl(NULL, 'x'), nvl2(NULL, 1, 2), nullif(1, 1), decode(2, 1, 'a', 2, 'b', 'c')",
            "2|'x'|2|NULL|'b'",
        ),
        ("SELECT decode(NULL, NULL, 'both', 'no')", "'both'"),
        ("SELECT 1 / 0", "ERROR: Divide by zero"),
        ("SELECT 'abc'::int", "ERROR: invalid input syntax for integer: \"abc\""),
        ("SELECT 300000::smallint", "ERROR: smallint out of range"),
        (
            "SELECT to_char(1234.5, '999,999.00'), to_char(0.5, 'FM990.0'), to_number('1,234.5', '9,999.9')",
            "'   1,234.50'|'0.5'|'1234.5'",
        ),
    ]);
}

#[test]
fn text_functions_are_redshift_s() {
    check(&[
        (
            "SELECT upper('aé'), lower('AB'), len('aé'), initcap('new york'), reverse('abc')",
            "'AÉ'|'ab'|2|'New York'|'cba'",
        ),
        (
            "SELECT left('abc', 2), right('abc', 2), lpad('7', 3, '0'), rpad('7', 3, '*'), substring('abcdef', 2, 3)",
            "'ab'|'bc'|'007'|'7**'|'bcd'",
        ),
        (
            "SELECT split_part('a$b$c', '$', 2), strpos('abc', 'c'), position('b' IN 'abc'), charindex('c', 'abc'), replace('aab', 'a', 'x')",
            "'b'|3|2|3|'xxb'",
        ),
        (
            "SELECT trim('  a '), btrim('xax', 'x'), ltrim('xxa', 'x'), trim(both '-' from '-a-'), repeat('ab', 2), translate('abc', 'ab', 'x')",
            "'a'|'a'|'a'|'a'|'abab'|'xc'",
        ),
        (
            "SELECT md5('abc'), sha2('abc', 256), strtol('ff', 16), to_hex(255)",
            "'900150983cd24fb0d6963f7d28e17f72'|'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'|255|'ff'",
        ),
        ("SELECT 'a' || 1 || NULL, concat('a', 'b'), 'x' || 1.50", "NULL|'ab'|'x1.50'"),
        ("SELECT id FROM sales WHERE note LIKE 'A\\\\_b%'", "4"),
        ("SELECT count(*) FROM sales WHERE region LIKE 'NO%'", "0"),
        ("SELECT count(*) FROM sales WHERE region ILIKE 'NO%'", "2"),
        ("SELECT id FROM sales WHERE region ~ '^so' AND note SIMILAR TO '%(s|t)'", "3"),
        (
            "SELECT regexp_substr('a1b22', '[0-9]+', 1, 2), regexp_replace('a1b2', '[0-9]', '#'), regexp_count('abab', 'ab'), regexp_instr('xyz', 'z')",
            "'22'|'a#b#'|2|3",
        ),
        (
            "SELECT json_extract_path_text('{\"a\":{\"b\":\"c\"}}', 'a', 'b'), json_array_length('[1,2]'), json_extract_array_element_text('[1,\"x\"]', 1)",
            "'c'|2|'x'",
        ),
        (
            "SELECT ';--' || '/*', \"region\" FROM regions WHERE manager = 'Ada' -- a comment",
            "';--/*'|'north'",
        ),
    ]);
}

#[test]
fn dates_are_redshift_s() {
    check(&[
        (
            "SELECT getdate(), sysdate, current_date",
            "'2026-03-04 05:06:07'|'2026-03-04 05:06:07'|'2026-03-04'",
        ),
        (
            "SELECT dateadd(month, 1, '2026-01-31'), dateadd('day', -1, sold) FROM sales WHERE id = 1",
            "'2026-02-28 00:00:00'|'2026-01-04 00:00:00'",
        ),
        (
            "SELECT datediff(day, '2026-01-31', '2026-03-01'), datediff(month, '2026-01-31', '2026-02-01'), datediff(week, '2026-01-03', '2026-01-04')",
            "29|1|1",
        ),
        (
            "SELECT date_trunc('month', sold), date_trunc('week', sold) FROM sales WHERE id = 2",
            "'2026-01-01 00:00:00'|'2026-01-19 00:00:00'",
        ),
        (
            "SELECT extract(year FROM sold), date_part(dow, sold), date_part('quarter', sold) FROM sales WHERE id = 3",
            "2026|0|1",
        ),
        (
            "SELECT sold + 3, sold - date '2026-01-01', sold + INTERVAL '1 day 2 hours' FROM sales WHERE id = 1",
            "'2026-01-08'|4|'2026-01-06 02:00:00'",
        ),
        (
            "SELECT last_day('2026-02-10'), add_months('2026-01-31', 1), months_between('2026-03-31', '2026-02-28'), next_day('2026-01-05', 'Tue')",
            "'2026-02-28'|'2026-02-28 00:00:00'|1.0|'2026-01-06'",
        ),
        (
            "SELECT to_char(sold, 'YYYY-MM-DD Mon'), to_char(timestamp '2026-01-05 13:04:05', 'HH12:MI:SS AM DD/MM/YY') FROM sales WHERE id = 1",
            "'2026-01-05 Jan'|'01:04:05 PM 05/01/26'",
        ),
        (
            "SELECT to_date('05 Jan 2026', 'DD Mon YYYY'), to_timestamp('2026-01-05 13:04', 'YYYY-MM-DD HH24:MI')",
            "'2026-01-05'|'2026-01-05 13:04:00+00'",
        ),
        (
            "SELECT '2026-01-05 10:00:00'::timestamp::date, '2026-01-05T10:00:00+02:00'::timestamptz",
            "'2026-01-05'|'2026-01-05 08:00:00+00'",
        ),
        ("SELECT id FROM sales WHERE sold::timestamp <= '2026-01-05'", "1"),
        ("SELECT 'x'::date", "ERROR: invalid input syntax for type date: \"x\""),
    ]);
}

#[test]
fn changes_happen_and_are_counted() {
    check(&[
        ("CREATE TABLE copy AS SELECT id, amount * 2 AS twice, upper(region) AS r FROM sales", "4"),
        (
            "SELECT \"column\", type FROM pg_table_def WHERE tablename = 'copy'",
            "'id'|'integer'; 'twice'|'numeric(23,2)'; 'r'|'character varying(65535)'",
        ),
        ("CREATE TABLE copy (x int)", "ERROR: Relation \"copy\" already exists"),
        ("CREATE TABLE IF NOT EXISTS copy (x int)", "0"),
        ("UPDATE copy SET twice = twice + 1 WHERE id < 3", "2"),
        (
            "UPDATE copy SET r = regions.manager FROM regions WHERE lower(copy.r) = regions.region",
            "3",
        ),
        (
            "DELETE FROM copy USING regions WHERE copy.r = regions.manager AND regions.region = 'south'",
            "1",
        ),
        (
            "SELECT id, twice, r FROM copy ORDER BY id",
            "1|'21.20'|'Ada'; 2|'1.40'|'Ada'; 4|'200.00'|'EAST'",
        ),
        (
            "MERGE INTO copy USING sales s ON copy.id = s.id WHEN MATCHED THEN UPDATE SET twice = copy.twice + s.amount WHEN NOT MATCHED THEN INSERT (id, twice, r) VALUES (s.id, 0, 'new')",
            "4",
        ),
        (
            "SELECT id, twice, r FROM copy ORDER BY id",
            "1|'31.30'|'Ada'; 2|'1.60'|'Ada'; 3|'0.00'|'new'; 4|'300.00'|'EAST'",
        ),
        ("TRUNCATE TABLE copy", "0"),
        ("SELECT count(*) FROM copy", "0"),
        (
            "CREATE TABLE numbered (n bigint IDENTITY(10,5), name varchar(4) NOT NULL, at timestamp DEFAULT getdate(), kind char(3) DEFAULT 'new')",
            "0",
        ),
        ("INSERT INTO numbered (name) VALUES ('a'), ('b')", "2"),
        ("INSERT INTO numbered (name) SELECT 'c'", "1"),
        (
            "SELECT * FROM numbered ORDER BY n",
            "10|'a'|'2026-03-04 05:06:07'|'new'; 15|'b'|'2026-03-04 05:06:07'|'new'; 20|'c'|'2026-03-04 05:06:07'|'new'",
        ),
        (
            "INSERT INTO numbered (name) VALUES ('abcde')",
            "ERROR: value too long for type character varying(4)",
        ),
        (
            "INSERT INTO numbered (name) VALUES (NULL)",
            "ERROR: Cannot insert a NULL value into column name",
        ),
        (
            "INSERT INTO numbered (nope) VALUES (1)",
            "ERROR: column \"nope\" of relation \"numbered\" does not exist",
        ),
        (
            "INSERT INTO regions VALUES (1, 2, 3)",
            "ERROR: INSERT has more expressions than target columns",
        ),
        ("ALTER TABLE numbered ADD COLUMN extra int DEFAULT 7", "0"),
        ("ALTER TABLE numbered RENAME COLUMN extra TO more", "0"),
        ("SELECT max(more) FROM numbered", "7"),
        ("ALTER TABLE numbered DROP COLUMN more", "0"),
        ("ALTER TABLE numbered ALTER DISTSTYLE ALL", "0"),
        ("ALTER TABLE numbered OWNER TO awsuser", "0"),
        ("ALTER TABLE numbered OWNER TO nobody", "ERROR: user \"nobody\" does not exist"),
        ("INSERT INTO numbered (name, kind) VALUES ('d', DEFAULT)", "1"),
        ("DELETE FROM numbered WHERE kind = 'new' AND name = 'd'", "1"),
        ("ALTER TABLE numbered RENAME TO counted", "0"),
        ("SELECT count(*) FROM counted", "3"),
        ("CREATE TABLE twin (LIKE counted)", "0"),
        ("SELECT id INTO picked FROM sales WHERE id > 2", "2"),
        ("SELECT count(*) FROM picked", "2"),
        ("DROP TABLE picked", "0"),
        ("DROP TABLE picked", "ERROR: table \"picked\" does not exist"),
        ("DROP TABLE IF EXISTS picked, twin", "0"),
        ("ANALYZE sales", "0"),
        ("VACUUM", "0"),
        ("SET query_group TO 'x'", "0"),
    ]);
}

#[test]
fn schemas_and_views_are_kept_apart() {
    check(&[
        ("CREATE SCHEMA datazone_env_publish", "0"),
        (
            "CREATE SCHEMA datazone_env_publish",
            "ERROR: schema \"datazone_env_publish\" already exists",
        ),
        ("CREATE SCHEMA IF NOT EXISTS datazone_env_publish", "0"),
        (
            "CREATE TABLE datazone_env_publish.rs_sls_tbl AS SELECT 146776932 AS ord_num, 23 AS sales_qty_sld, 23.4 AS wholesale_cost UNION ALL SELECT 46776931, 24, 24.4",
            "2",
        ),
        (
            "SELECT * FROM \"dev\".\"datazone_env_publish\".\"rs_sls_tbl\" ORDER BY 1",
            "46776931|24|'24.4'; 146776932|23|'23.4'",
        ),
        ("CREATE VIEW big AS SELECT id, amount, 'it''s' AS w FROM sales WHERE amount > 5", "0"),
        ("SELECT id, w FROM big ORDER BY id", "1|'it's'; 3|'it's'; 4|'it's'"),
        ("CREATE OR REPLACE VIEW big (i) AS SELECT id FROM sales WHERE amount > 50", "0"),
        ("SELECT i FROM big", "4"),
        ("DROP TABLE sales", "ERROR: cannot drop table sales because other objects depend on it"),
        ("CREATE VIEW late AS SELECT * FROM public.missing WITH NO SCHEMA BINDING", "0"),
        ("SELECT * FROM late", "ERROR: relation \"missing\" does not exist"),
        ("CREATE TABLE missing AS SELECT 1 AS a", "1"),
        ("SELECT * FROM late", "1"),
        ("DROP TABLE missing", "0"),
        ("INSERT INTO big VALUES (1)", "ERROR: \"big\" is not a table"),
        ("DROP TABLE sales CASCADE", "0"),
        ("SELECT * FROM big", "ERROR: relation \"big\" does not exist"),
        (
            "DROP SCHEMA datazone_env_publish",
            "ERROR: cannot drop schema datazone_env_publish because other objects depend on it",
        ),
        ("DROP SCHEMA datazone_env_publish CASCADE", "0"),
        (
            "SELECT 1 FROM datazone_env_publish.rs_sls_tbl",
            "ERROR: schema \"datazone_env_publish\" does not exist",
        ),
        ("CREATE DATABASE other", "0"),
        ("SELECT 1 FROM other.public.nothing", "ERROR: relation \"nothing\" does not exist"),
        (
            "CREATE TABLE other.public.t (x int)",
            "ERROR: cross-database reference to database \"other\" is not supported",
        ),
        ("DROP DATABASE other", "0"),
    ]);
}

#[test]
fn system_views_show_the_catalog() {
    check(&[
        ("SELECT current_user, current_database(), current_schema()", "'awsuser'|'dev'|'public'"),
        ("SELECT usesuper FROM pg_user WHERE usename = current_user", "true"),
        (
            "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1",
            "'regions'|'BASE TABLE'; 'sales'|'BASE TABLE'",
        ),
        (
            "SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, is_nullable FROM information_schema.columns WHERE table_name = 'sales' AND ordinal_position IN (1, 2, 4) ORDER BY ordinal_position",
            "'id'|'integer'|NULL|10|0|'NO'; 'region'|'character varying'|16|NULL|NULL|'YES'; 'amount'|'numeric'|NULL|12|2|'YES'",
        ),
        ("SELECT schema_name FROM information_schema.schemata", "'public'"),
        (
            "SELECT nspname FROM pg_namespace ORDER BY 1",
            "'information_schema'; 'pg_catalog'; 'public'",
        ),
        (
            "SELECT table_name FROM svv_all_tables WHERE database_name = 'dev' ORDER BY 1",
            "'regions'; 'sales'",
        ),
        ("SELECT count(*) FROM svv_all_columns WHERE table_name = 'regions'", "2"),
        (
            "SELECT \"column\", encoding, distkey, sortkey, \"notnull\" FROM pg_table_def WHERE tablename = 'sales' AND (distkey OR sortkey > 0)",
            "'id'|'az64'|true|0|true; 'sold'|'none'|false|1|false",
        ),
        ("SELECT tbl_rows FROM svv_table_info WHERE \"table\" = 'sales'", "'4'"),
        ("SELECT version() LIKE '%Redshift%'", "true"),
        ("SHOW SCHEMAS FROM DATABASE dev", "'dev'|'public'|1|'local'"),
        ("SHOW TABLES FROM SCHEMA dev.public LIKE 'reg%'", "'dev'|'public'|'regions'|'TABLE'"),
        ("CREATE DATASHARE market SET PUBLICACCESSIBLE FALSE", "0"),
        ("ALTER DATASHARE market ADD SCHEMA public", "0"),
        ("ALTER DATASHARE market ADD TABLE public.sales", "0"),
        ("GRANT USAGE ON DATASHARE market TO NAMESPACE 'abc'", "0"),
        (
            "SELECT share_name, object_type, object_name FROM svv_datashare_objects ORDER BY 2",
            "'market'|'schema'|'public'; 'market'|'table'|'public.sales'",
        ),
        ("SELECT consumer_namespace FROM svv_datashare_consumers", "'abc'"),
    ]);
}

#[test]
fn errors_are_in_redshift_s_words() {
    check(&[
        ("SELECT * FROM nothing", "ERROR: relation \"nothing\" does not exist"),
        ("SELECT * FROM nowhere.nothing", "ERROR: schema \"nowhere\" does not exist"),
        ("SELECT * FROM nodb.public.nothing", "ERROR: database \"nodb\" does not exist"),
        ("SELECT nope FROM sales", "ERROR: column \"nope\" does not exist in sales"),
        ("SELECT s.nope FROM sales s", "ERROR: column s.nope does not exist"),
        ("SELECT x.id FROM sales s", "ERROR: missing FROM-clause entry for table \"x\""),
        ("SELECT region FROM sales, regions", "ERROR: column reference \"region\" is ambiguous"),
        (
            "SELECT region, amount FROM sales GROUP BY region",
            "ERROR: column \"sales.amount\" must appear in the GROUP BY clause or be used in an aggregate function",
        ),
        ("SELECT id FROM sales WHERE sum(id) > 1", "ERROR: aggregates not allowed in WHERE clause"),
        (
            "SELECT id FROM sales WHERE id",
            "ERROR: argument of WHERE must be type boolean, not type integer",
        ),
        ("SELECT id FROM sales WHERE sold = 1", "ERROR: operator does not exist: date = integer"),
        ("SELECT nosuch(1)", "ERROR: function nosuch(integer) does not exist"),
        ("this is not sql", "ERROR: syntax error at or near \"this\""),
        ("SELECT FROM WHERE", "ERROR: syntax error at or near \"FROM\""),
        ("SELECT (1", "ERROR: syntax error at end of input"),
        ("SELECT 1; SELECT 2", "ERROR: cannot insert multiple commands into a prepared statement"),
        (
            "COPY sales FROM 's3://b/k' IAM_ROLE default",
            "ERROR: COPY is not implemented in the sandbox: it would read from Amazon S3",
        ),
        (
            "UNLOAD ('SELECT 1') TO 's3://b/k' IAM_ROLE default",
            "ERROR: UNLOAD is not implemented in the sandbox: it would write to Amazon S3",
        ),
        (
            "CREATE MATERIALIZED VIEW m AS SELECT 1 AS a",
            "ERROR: a materialized or temporary view is not implemented in the sandbox",
        ),
    ]);
}

#[test]
fn a_failed_statement_leaves_nothing_behind() {
    let connection = connection();
    let world = world(&connection);
    let mut warehouse = warehouse(&world);
    let failed = warehouse.execute(
        "awsuser",
        "dev",
        "CREATE TABLE half AS SELECT id / (id - 2) AS x FROM sales",
        &[],
    );
    assert_eq!(failed.unwrap_err().to_string(), "ERROR: Divide by zero");
    let script = "CREATE TABLE half (x int); INSERT INTO half VALUES (1); SELECT * FROM nothing";
    run_script(&mut warehouse, script).unwrap_err();
    assert_eq!(answer(&mut warehouse, "awsuser", "CREATE TABLE half (x int)"), "0");
    assert_eq!(answer(&mut warehouse, "awsuser", "SELECT count(*) FROM half"), "0");
    let reopened = Warehouse::open(&world, NAMESPACE).unwrap();
    assert_eq!(reopened.tables("dev", "public").unwrap().len(), 3);
}

#[test]
fn a_user_may_do_what_was_granted_and_no_more() {
    let connection = connection();
    let world = world(&connection);
    let mut warehouse = warehouse(&world);
    let steps: &[(&str, &str, &str)] = &[
        ("awsuser", "CREATE USER reader PASSWORD 'Passw0rd'", "0"),
        ("awsuser", "CREATE GROUP analysts WITH USER reader", "0"),
        ("awsuser", "CREATE SCHEMA hidden", "0"),
        ("awsuser", "CREATE TABLE hidden.t AS SELECT 1 AS a", "1"),
        ("reader", "SELECT usesuper FROM pg_user WHERE usename = current_user", "false"),
        ("reader", "SELECT count(*) FROM sales", "ERROR: permission denied for relation sales"),
        ("reader", "SELECT * FROM hidden.t", "ERROR: permission denied for schema hidden"),
        ("reader", "SELECT count(*) FROM svv_all_tables", "0"),
        ("reader", "CREATE SCHEMA mine", "ERROR: permission denied for database dev"),
        ("reader", "CREATE USER other PASSWORD 'x'", "ERROR: permission denied to create user"),
        ("awsuser", "GRANT SELECT ON TABLE public.sales TO GROUP analysts", "0"),
        ("reader", "SELECT count(*) FROM sales", "4"),
        ("reader", "DELETE FROM sales", "ERROR: permission denied for relation sales"),
        ("reader", "DROP TABLE sales", "ERROR: must be owner of relation sales"),
        (
            "reader",
            "GRANT SELECT ON sales TO PUBLIC",
            "ERROR: permission denied for relation sales",
        ),
        ("awsuser", "CREATE VIEW window_on AS SELECT a FROM hidden.t", "0"),
        ("awsuser", "GRANT SELECT ON window_on TO reader", "0"),
        ("reader", "SELECT * FROM window_on", "1"),
        ("awsuser", "REVOKE SELECT ON sales FROM GROUP analysts", "0"),
        ("reader", "SELECT count(*) FROM sales", "ERROR: permission denied for relation sales"),
        ("awsuser", "CREATE ROLE publish", "0"),
        ("awsuser", "GRANT ROLE publish TO reader", "0"),
        ("awsuser", "GRANT USAGE ON SCHEMA hidden TO ROLE publish", "0"),
        ("awsuser", "GRANT ALL ON ALL TABLES IN SCHEMA hidden TO ROLE publish", "0"),
        ("reader", "INSERT INTO hidden.t VALUES (2)", "1"),
        (
            "reader",
            "SELECT has_table_privilege('hidden.t', 'select'), has_schema_privilege('awsuser', 'hidden', 'create')",
            "true|true",
        ),
        ("awsuser", "GRANT CREATE ON DATABASE dev TO reader", "0"),
        ("reader", "CREATE SCHEMA mine", "0"),
        ("reader", "CREATE TABLE mine.t (x int)", "0"),
        (
            "awsuser",
            "DROP USER reader",
            "ERROR: user \"reader\" cannot be dropped because the user owns some object",
        ),
        ("awsuser", "GRANT SELECT ON sales TO nobody", "ERROR: user \"nobody\" does not exist"),
    ];
    for (user, sql, expected) in steps {
        assert_eq!(answer(&mut warehouse, user, sql), *expected, "{user}: {sql}");
    }
    assert_eq!(warehouse.authenticate("Reader", "Passw0rd").unwrap(), "reader");
    assert_eq!(
        warehouse.authenticate("reader", "wrong").unwrap_err().to_string(),
        "ERROR: password authentication failed for user \"reader\""
    );
}

#[test]
fn nothing_outside_the_warehouse_can_be_named() {
    let connection = connection();
    let world = world(&connection);
    let mut warehouse = warehouse(&world);
    let own_table = format!("SELECT * FROM \"wh/{NAMESPACE}/dev.public.sales\"");
    for sql in [
        "SELECT * FROM documents",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM main.documents",
        "SELECT rowid FROM sales",
        "SELECT \"no such column\" FROM sales",
        "ATTACH DATABASE 'x.db' AS x",
        "PRAGMA user_version",
        "SELECT load_extension('x')",
        "SELECT rs_registered()",
        "SELECT sqlite_version()",
        "SELECT * FROM json_each('[1]')",
        "SELECT * FROM pragma_table_info('documents')",
        &own_table,
    ] {
        let refused = warehouse.execute("awsuser", "dev", sql, &[]);
        assert!(refused.is_err(), "{sql} gave {refused:?}");
    }
}

#[test]
fn deep_and_long_statements_end_in_an_answer() {
    let connection = connection();
    let world = world(&connection);
    let mut warehouse = warehouse(&world);
    let mut ask = |sql: &str| answer(&mut warehouse, "awsuser", sql);
    let sum = |terms: usize| format!("SELECT {}", vec!["1"; terms].join(" + "));
    assert_eq!(ask(&sum(900)), "900");
    assert_eq!(ask(&sum(1_500)), "ERROR: Expression tree is too large (maximum depth 1000)");
    assert_eq!(ask(&sum(50_000)), "ERROR: statement is too complex");
    let parentheses = |depth: usize| format!("SELECT {}1{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(ask(&parentheses(20)), "1");
    assert_eq!(ask(&parentheses(5_000)), "ERROR: statement is nested too deeply");
    let subqueries = |depth: usize| {
        (0..depth).fold("SELECT 1 AS a".to_owned(), |inner, _| {
            format!("SELECT a FROM ({inner}) AS t WHERE a IN (SELECT 1) OR (NOT (a = 2))")
        })
    };
    assert_eq!(ask(&subqueries(25)), "1");
    assert_eq!(ask(&subqueries(500)), "ERROR: statement is nested too deeply");
    for level in 0..4 {
        let last = format!("SELECT a FROM v{}", level - 1);
        let inner = if level == 0 { "SELECT 1 AS a" } else { &last };
        let query = subqueries(8).replacen("SELECT 1 AS a", inner, 1);
        let made = ask(&format!("CREATE VIEW v{level} AS {query}"));
        let expected = if level < 3 { "0" } else { "ERROR: statement is nested too deeply" };
        assert_eq!(made, expected, "v{level}");
    }
    let list: Vec<String> = (0..5_000).map(|number| format!("(-{number})")).collect();
    assert_eq!(ask(&format!("INSERT INTO sales (id) VALUES {}", list.join(", "))), "5000");
}

#[test]
fn parameters_are_values_and_never_sql() {
    let connection = connection();
    let world = world(&connection);
    let mut warehouse = warehouse(&world);
    let given = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let sql = "SELECT id FROM sales WHERE region = :region AND id > :least ORDER BY id";
    let result = warehouse
        .execute("awsuser", "dev", sql, &[given("region", "north"), given("least", "1")])
        .unwrap();
    assert_eq!(shown(&result), "2");
    let nasty = [given("region", "x' OR '1'='1"), given("least", "0")];
    assert_eq!(
        warehouse.execute("awsuser", "dev", sql, &nasty).unwrap().rows,
        Vec::<Vec<Cell>>::new()
    );
    assert_eq!(super::parameter_names("SELECT 1::int WHERE a = :x AND b = ':y'"), ["x"]);
}

#[test]
fn results_carry_their_columns_types() {
    let connection = connection();
    let world = world(&connection);
    let mut warehouse = warehouse(&world);
    let sql = "SELECT id, amount AS total, region || '!', count(*) OVER (), sold + 1 FROM sales s LIMIT 1";
    let result = warehouse.execute("awsuser", "dev", sql, &[]).unwrap();
    let columns: Vec<String> = result
        .columns
        .iter()
        .map(|column| {
            format!("{} {} {}.{}", column.name, column.sql_type, column.schema, column.table)
        })
        .collect();
    assert_eq!(
        columns,
        [
            "id integer public.sales",
            "total numeric(12,2) public.sales",
            "?column? character varying(65535) .",
            "count bigint .",
            "?column? date .",
        ]
    );
    assert!(!result.columns[0].nullable && result.columns[1].nullable);
    let columns = warehouse.columns("dev", "public", "sales").unwrap();
    assert_eq!(columns[3].sql_type, SqlType::Numeric { precision: 12, scale: 2 });
    assert_eq!(columns[3].default.as_deref(), Some("0"));
}

#[test]
fn a_shared_relation_shows_another_warehouse_s_rows() {
    let connection = connection();
    let world = world(&connection);
    let mut producer = warehouse(&world);
    let scope = Scope::new("222222222222", "eu-west-1");
    let mut consumer = Warehouse::create(&world, &scope, "other", "dev", "awsuser", None);
    consumer.create_schema("dev", "subscribed", "awsuser").unwrap();
    let shared = SharedRelation {
        namespace: NAMESPACE.to_owned(),
        database: "dev".to_owned(),
        schema: "public".to_owned(),
        relation: "regions".to_owned(),
        datashare: None,
    };
    consumer.create_shared_relation("dev", "subscribed", "regions", "awsuser", &shared).unwrap();
    consumer.ensure_user("IAMR:reader", false);
    let reader = Grantee::User("IAMR:reader".to_owned());
    consumer.grant_schema("dev", "subscribed", &[Privilege::Usage], &reader).unwrap();
    datashare_statements(&mut producer, &mut consumer);
    let sql = "SELECT manager FROM \"dev\".\"subscribed\".\"regions\" WHERE region = 'west'";
    assert_eq!(
        answer(&mut consumer, "IAMR:reader", sql),
        "ERROR: permission denied for relation regions"
    );
    consumer.grant("dev", "subscribed", "regions", &[Privilege::Select], &reader).unwrap();
    assert_eq!(answer(&mut consumer, "IAMR:reader", sql), "'Linus'");
    answer(&mut producer, "awsuser", "UPDATE regions SET manager = 'Alan' WHERE region = 'west'");
    assert_eq!(answer(&mut consumer, "IAMR:reader", sql), "'Alan'");
    producer.destroy().unwrap();
    assert_eq!(
        answer(&mut consumer, "IAMR:reader", sql),
        "ERROR: relation \"regions\" does not exist"
    );
    let left: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_master WHERE name LIKE 'wh/1111%'", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(left, 0);
}

/// The same in SQL: a share, and a database made from it.
fn datashare_statements(producer: &mut Warehouse<'_>, consumer: &mut Warehouse<'_>) {
    let make = format!(
        "CREATE DATABASE market FROM DATASHARE market OF ACCOUNT '111111111111' NAMESPACE '{NAMESPACE}'"
    );
    answer(producer, "awsuser", "CREATE DATASHARE market");
    answer(producer, "awsuser", "ALTER DATASHARE market ADD SCHEMA public");
    answer(producer, "awsuser", "ALTER DATASHARE market ADD ALL TABLES IN SCHEMA public");
    let refused = answer(consumer, "awsuser", &make);
    assert!(refused.contains("is not shared with this namespace"), "{refused}");
    answer(producer, "awsuser", "GRANT USAGE ON DATASHARE market TO ACCOUNT '222222222222'");
    // Another account takes the consent of both administrators.
    assert!(!producer.associate("market", "222222222222", "other", true));
    assert!(producer.authorise("market", "222222222222", true));
    assert!(answer(consumer, "awsuser", &make).contains("is not shared with this namespace"));
    assert!(producer.associate("market", "222222222222", "other", true));
    assert_eq!(answer(consumer, "awsuser", &make), "0");
    assert_eq!(answer(consumer, "awsuser", "SELECT count(*) FROM market.public.sales"), "4");
    consumer.ensure_user("guest", false);
    let guest = "SELECT max(id) FROM market.public.sales";
    assert_eq!(answer(consumer, "guest", guest), "ERROR: permission denied for schema public");
    assert_eq!(answer(consumer, "awsuser", "GRANT USAGE ON DATABASE market TO guest"), "0");
    assert_eq!(answer(consumer, "guest", guest), "4");
    producer.authorise("market", "222222222222", false);
    let refused = answer(consumer, "guest", guest);
    assert!(refused.contains("is not shared with this namespace"), "{refused}");
    producer.authorise("market", "222222222222", true);
    assert_eq!(
        answer(consumer, "awsuser", "DELETE FROM market.public.sales"),
        "ERROR: cross-database reference to database \"market\" is not supported"
    );
}
