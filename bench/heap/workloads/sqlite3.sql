-- bench/heap/workloads/sqlite3.sql: rows that are made, joined, changed and deleted, in memory
create table item(id integer primary key, name text, kind int, note text);
create table part(id integer primary key, item int, amount int);
with recursive n(x) as (select 1 union all select x + 1 from n where x < 60000)
    insert into item select x, hex(x * 7919 % 104729), x % 101, printf('%.*c', x % 60, 'n') from n;
with recursive n(x) as (select 1 union all select x + 1 from n where x < 90000)
    insert into part select x, x * 31 % 60000 + 1, x % 17 from n;
create index by_name on item(name);
create index by_item on part(item);
select kind, count(*), sum(amount), group_concat(substr(name, 1, 2)) from item join part on part.item = item.id
    group by kind order by kind;
update item set note = note || name || note where kind < 40;
select name, length(note) from item where name like '%A%' order by note, name limit 100;
delete from item where kind between 30 and 70;
select count(*), sum(length(note)) from item;
with w as (select name, row_number() over (partition by kind order by name) r from item)
    select max(r), count(*), min(name) from w;
vacuum;
