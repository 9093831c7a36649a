// What the generators and the architecture tests read from PostgreSQL's catalogue: our tables, without the partitions
// (they come and go with the weeks) and without Kysely's own. Same answer from every supported release of PostgreSQL.
import type { ClientBase } from 'pg';

export interface Column {
  readonly name: string;
  /** As SQL writes it, e.g. `text[]` or `delivery_status`. */
  readonly type: string;
  /** Type of the elements where `type` is an array, otherwise `type`. */
  readonly elementType: string;
  readonly isArray: boolean;
  readonly notNull: boolean;
  readonly default: string | null;
  /** What follows `generated`, e.g. `always as identity`. */
  readonly generated: string | null;
  /** Set only where it is not the type's own. */
  readonly storage: string | null;
}

export interface Constraint {
  readonly name: string;
  readonly kind: 'primary key' | 'unique' | 'foreign key' | 'check' | 'exclusion';
  readonly columns: readonly string[];
  /** The table that a foreign key points to. */
  readonly references: string | null;
  /** There, in the order of `columns`. */
  readonly referencedColumns: readonly string[];
  readonly definition: string;
}

export interface Index {
  readonly name: string;
  readonly unique: boolean;
  /** Columns of the key in order; `(expression)` for what is no plain column. */
  readonly columns: readonly string[];
  readonly definition: string;
}

export interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly constraints: readonly Constraint[];
  /** Those that do not belong to a constraint. */
  readonly indexes: readonly Index[];
  /** E.g. `LIST (bucket)`; null when the table is not partitioned. */
  readonly partitionKey: string | null;
  /** Storage parameters, e.g. `fillfactor=60`. */
  readonly options: readonly string[];
}

export interface Enum {
  readonly name: string;
  readonly values: readonly string[];
}

export interface Catalogue {
  readonly enums: readonly Enum[];
  readonly tables: readonly Table[];
}

/** Sorted by name throughout, by code point: the order must not depend on the cluster's collation. */
export async function readCatalogue(client: ClientBase): Promise<Catalogue> {
  const enums = await client.query<Enum>(`
    select typname as name, array_agg(enumlabel::text order by enumsortorder) as values
    from pg_type join pg_enum on enumtypid = pg_type.oid
    where typnamespace = current_schema()::regnamespace
    group by typname order by typname collate "C"`);
  const tables = await client.query<Omit<Table, 'columns' | 'constraints' | 'indexes'> & { oid: number }>(`
    select oid, relname as name, pg_get_partkeydef(oid) as "partitionKey",
      coalesce((select array_agg(option order by option collate "C") from unnest(reloptions) option), '{}') as options
    from pg_class
    where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and not relispartition
      and relname not like 'kysely\\_migration%'
    order by relname collate "C"`);
  return {
    enums: enums.rows,
    tables: await Array.fromAsync(tables.rows, async ({ oid, ...table }) => ({
      ...table,
      columns: await readColumns(client, oid),
      constraints: await readConstraints(client, oid),
      indexes: await readIndexes(client, oid),
    })),
  };
}

async function readColumns(client: ClientBase, table: number): Promise<readonly Column[]> {
  const { rows } = await client.query<Column>(
    `select attname as name, format_type(atttypid, atttypmod) as type,
       format_type(coalesce(nullif(typelem, 0), atttypid), null) as "elementType", typcategory = 'A' as "isArray",
       attnotnull as "notNull", case when attgenerated = '' then pg_get_expr(adbin, adrelid) end as default,
       case when attidentity = 'a' then 'always as identity' when attidentity = 'd' then 'by default as identity'
         when attgenerated = 's' then 'always as (' || pg_get_expr(adbin, adrelid) || ') stored'
         when attgenerated = 'v' then 'always as (' || pg_get_expr(adbin, adrelid) || ') virtual' end as generated,
       case when attstorage <> typstorage then
         case attstorage when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main' else 'extended' end
       end as storage
     from pg_attribute join pg_type on pg_type.oid = atttypid
       left join pg_attrdef on adrelid = attrelid and adnum = attnum
     where attrelid = $1 and attnum > 0 and not attisdropped
     order by attnum`,
    [table],
  );
  return rows;
}

/** Without not-null constraints, which PostgreSQL 18 lists among the others: `Column.notNull` says it. */
async function readConstraints(client: ClientBase, table: number): Promise<readonly Constraint[]> {
  const { rows } = await client.query<Constraint>(
    `select conname as name, pg_get_constraintdef(pg_constraint.oid) as definition, confrel.relname as references,
       case contype when 'p' then 'primary key' when 'u' then 'unique' when 'f' then 'foreign key'
         when 'c' then 'check' else 'exclusion' end as kind,
       array(select attname::text from unnest(conkey) with ordinality as key (num, place)
         join pg_attribute on attrelid = conrelid and attnum = num order by place) as columns,
       array(select attname::text from unnest(confkey) with ordinality as key (num, place)
         join pg_attribute on attrelid = confrelid and attnum = num order by place) as "referencedColumns"
     from pg_constraint left join pg_class confrel on confrel.oid = confrelid
     where conrelid = $1 and contype in ('p', 'u', 'f', 'c', 'x')
     order by array_position('{p,u,f,c,x}'::"char"[], contype), conname collate "C"`,
    [table],
  );
  return rows;
}

async function readIndexes(client: ClientBase, table: number): Promise<readonly Index[]> {
  const { rows } = await client.query<Index>(
    `select relname as name, indisunique as unique, pg_get_indexdef(indexrelid) as definition,
       array(select coalesce(attname, '(expression)')::text
         from unnest(indkey[0:indnkeyatts - 1]) with ordinality as key (num, place)
         left join pg_attribute on attrelid = indrelid and attnum = num order by place) as columns
     from pg_index join pg_class on pg_class.oid = indexrelid
     where indrelid = $1 and not exists (select from pg_constraint where conindid = indexrelid and conrelid = indrelid)
     order by relname collate "C"`,
    [table],
  );
  return rows;
}
