"""The SQL of the floor script in the order of execution. It links by e-mail; each set mode is `set`."""

IDENTIFIER = """case
        when coalesce(
            list_position(['', 'null', 'none', 'n/a', 'unknown', '-', 'anonymous'], lower(trim(Email))), 0
        ) = 0
            and ltrim(trim(Email), '0') != ''
        then lower(trim(Email))
    end"""
"""Without `in (…)`, since DuckDB plans it as a join, which does not keep the order of rows."""

UNIQUE = """list_filter(
        string_split(Interests, ';'), lambda value, place: list_position(string_split(Interests, ';'), value) = place
    )"""

PROPERTIES = (
    ("email", "varchar", "Email", IDENTIFIER),
    ("customer_id", "varchar", "CustomerId", "nullif(trim(CustomerId), '')"),
    ("first_name", "varchar", "FirstName", "FirstName"),
    ("last_name", "varchar", "LastName", "LastName"),
    ("order_count", "bigint", "Orders", "try_cast(Orders as bigint)"),
    ("order_total", "decimal(18, 4)", "Total", "try_cast(Total as decimal(18, 4))"),
    ("birthday", "date", "Birthday", "try_cast(Birthday as date)"),
    ("last_seen", "timestamptz", "LastSeen", "try_cast(LastSeen as timestamptz)"),
    ("newsletter", "boolean", "Newsletter", "try_cast(Newsletter as boolean)"),
    ("interests", "varchar[]", "Interests", UNIQUE),
    ("city", "varchar", "City", "City"),
    ("country", "varchar", "Country", "Country"),
    ("zip", "varchar", "Zip", "Zip"),
)
"""Name, type and cell of each property, and the expression that converts the cell."""

NAMES = [name for name, *_ in PROPERTIES]
CELLS = [cell for _, _, cell, _ in PROPERTIES]
SUSPECTS = [(cell, how) for _, _, cell, how in PROPERTIES if how.startswith("try_cast")]
THIS_FILE = "connection = 'bench' and goal = 'customers' and path = $path"


def each(pattern: str, names: list[str] = NAMES, separator: str = ", ") -> str:
    """Return the pattern for each name, with `{}` replaced by the name."""
    return separator.join(pattern.format(name) for name in names)


TABLES = f"""
create table if not exists profile (
    profile_id uuid, created_at timestamptz, updated_at timestamptz, merged_into uuid,
    {", ".join(f"{name} {kind}" for name, kind, *_ in PROPERTIES)}
);
create table if not exists profile_identifier (property varchar, value varchar, profile_id uuid);
create table if not exists profile_change (run_id varchar, profile_id uuid, kind varchar, changed_at timestamptz);
create table if not exists imported_row (
    connection varchar, goal varchar, path varchar, row_hash uhugeint, copies bigint
);
create table if not exists imported_file (
    connection varchar, goal varchar, path varchar, size bigint, modified_at timestamptz, sha256 varchar,
    fingerprint varchar, run_id varchar, imported_at timestamptz, rows_read bigint, rows_applied bigint,
    rows_unchanged bigint, rows_rejected bigint, rows_without_identifier bigint, profiles_created bigint,
    profiles_updated bigint, profiles_unchanged bigint, values_invalid bigint
);
create table if not exists quarantine (
    run_id varchar, connection varchar, goal varchar, path varchar, line bigint, field varchar, value varchar,
    raw varchar, reason varchar
);
"""

LEDGER = f"""
select size, modified_at, sha256
from imported_file
where {THIS_FILE}
order by imported_at desc
limit 1
"""

INCOMING = f"""
create temp table incoming as
select
    uuidv7() as profile_id,
    {", ".join(f"{how} as {name}" for name, _, _, how in PROPERTIES)},
    md5_number(concat_ws(chr(31), {each("coalesce({}, chr(30))", CELLS)})) as row_hash,
    case when {" or ".join(f"({cell} is not null and {how} is null)" for cell, how in SUSPECTS)}
        then [{", ".join(f"{{field: '{cell}', value: if({how} is null, {cell}, null)}}" for cell, how in SUSPECTS)}]
    end as suspects
from read_csv(
    $file, auto_detect = false, header = false, skip = 1, delim = ',', quote = '"', escape = '"', nullstr = '',
    columns = {{{each("'{}': 'VARCHAR'", CELLS)}}}, store_rejects = true, rejects_limit = 0
)
"""

ARRIVED = """
create temp table arrived as
select row_hash, count(*) as copies
from incoming
where email is not null
group by row_hash
"""
"""Rows without an identifier are left out, so that they are retried when their file is read again."""

FRESH_FIRST = "create temp view fresh as select rowid as line, * from incoming"

FRESH = f"""
create temp table fresh as
select rowid as line, *
from incoming
where email is null or row_hash in (
    select now.row_hash
    from arrived now
    left join (from imported_row where {THIS_FILE}) before using (row_hash)
    where now.copies > coalesce(before.copies, 0)
)
"""

REPEATED = """
create temp table repeated as
select email
from fresh
where email is not null
group by email
having count(*) > 1
"""

CUSTOMER = "create temp view customer as from fresh where email is not null"

CUSTOMER_FOLDED = f"""
create temp table customer as
select
    max(line) as line, first(profile_id) as profile_id, email,
    {each("last({0} order by line) filter ({0} is not null) as {0}", NAMES[1:])}
from fresh
where email in (from repeated)
group by email
union all
select line, profile_id, {each("{}")}
from fresh
where email not in (from repeated)
"""

MATCHED = """
create temp table matched as
select customer.line, known.profile_id
from customer
join profile_identifier known on known.property = 'email' and known.value = customer.email
"""

CHANGED = f"""
create temp table changed as
select
    old.profile_id,
    {each("case when new.{0} is distinct from old.{0} then new.{0} end as {0}")}
from matched
join customer new using (line)
join profile old on old.profile_id = matched.profile_id
where {each("(new.{0} is not null and new.{0} is distinct from old.{0})", separator=" or ")}
"""

HOW_MANY_CHANGED = f"select {each('count({0}) as {0}')} from changed"

UPDATE = """
update profile
set updated_at = $at, {changes}
from changed
where profile.profile_id = changed.profile_id
"""
"""Only changed columns, which DuckDB updates in place."""

CREATED = "from customer where line not in (select line from matched)"

APPLY = f"""
delete from profile_identifier
using changed
where property = 'customer_id' and profile_identifier.profile_id = changed.profile_id
    and changed.customer_id is not null;

insert into profile_identifier
select 'customer_id', customer_id, profile_id
from changed
where customer_id is not null;

insert into profile
select profile_id, $at, $at, null, {each("{}")} {CREATED};

insert into profile_identifier
select 'email', email, profile_id {CREATED};

insert into profile_identifier
select 'customer_id', customer_id, profile_id {CREATED} and customer_id is not null;

insert into profile_change
select $run_id, profile_id, 'updated', $at from changed;

insert into profile_change
select $run_id, profile_id, 'created', $at {CREATED}
"""

ROWS = f"""
delete from imported_row
where {THIS_FILE} and (row_hash, copies) not in (select row_hash, copies from arrived);

insert into imported_row
select 'bench', 'customers', $path, row_hash, copies
from arrived
where row_hash not in (select row_hash from imported_row where {THIS_FILE})
"""

QUARANTINE = """
insert into quarantine
select $run_id, 'bench', 'customers', $path, null, suspect.field, suspect.value, null, 'not of the declared type'
from (select unnest(suspects) as suspect from fresh where suspects is not null)
where suspect.value is not null;

insert into quarantine
select $run_id, 'bench', 'customers', $path, line, column_name, null, csv_line, error_message from reject_errors
"""

FILE = """
insert into imported_file
with counted as (
    select
        (select count(*) from incoming) as parsed,
        (select count(distinct line) from reject_errors) as rejected,
        (select count(*) from fresh where email is null) as without_identifier,
        (select count(*) from fresh where email is not null) as applied,
        (select count(*) from customer) as customers,
        (select count(*) from matched) as matched,
        (select count(*) from changed) as changed,
        (select count(*) from quarantine where run_id = $run_id and value is not null) as invalid
)
select
    'bench', 'customers', $path, $size, $modified_at, $sha256, '', $run_id, $at, parsed + rejected, applied,
    parsed - applied - without_identifier, rejected, without_identifier, customers - matched, changed,
    matched - changed, invalid
from counted
"""

TOUCHED = f"""
insert into imported_file
select * replace ($modified_at as modified_at, $run_id as run_id, $at as imported_at)
from imported_file
where {THIS_FILE}
order by imported_at desc
limit 1
"""

COUNTERS = """
select columns('rows_.*|profiles_.*|values_.*')
from imported_file
where run_id = $run_id
"""
