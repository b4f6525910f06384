create table if not exists journal_schema (version integer not null);
create table if not exists attempts (
    task text not null, epoch integer not null, order_json text not null, order_id text not null, entry_id text not null,
    state text not null, starts integer not null default 0, updated_at integer not null, primary key (task, epoch));
create index if not exists attempts_state on attempts (state, updated_at);
create table if not exists transcript_entries (
    task text not null, epoch integer not null, seq integer not null, entry_json text not null, primary key (task, epoch, seq));
create table if not exists usages (
    id text primary key, task text, epoch integer not null, entry_json text not null, told integer not null default 0);
create index if not exists usages_task on usages (task, epoch);
create index if not exists usages_untold on usages (told) where told = 0;
create table if not exists outbox (
    id text primary key, channel text not null, data text not null, ack_entry text, at integer not null, sent integer not null default 0);
create index if not exists outbox_unsent on outbox (sent) where sent = 0;
create table if not exists facts (key text primary key, value text not null) without rowid;
insert into journal_schema (version) values (1);
insert into attempts values ('task-a', 1, '{"task":"task-a","epoch":1,"kind":"coder","title":"Title of task-a","instruction":"Do it.","workspace":null,"limits":{"usd":5000000000,"tokens":2000000,"steps":100,"wallS":3600},"requireVerified":false}', 'order-a', '7-0', 'running', 2, 5);
insert into transcript_entries values ('task-a', 1, 0, '{"type":"user","text":"go"}');
insert into usages values ('use_of_old', 'task-a', 1, '{"id":"use_of_old","task":"task-a","epoch":1,"step":1,"factory":"desk-1","persona":"Lisa","provider":"scripted","model":"scripted-1","at":4,"durationMs":2,"usage":{"uncachedIn":100,"cacheRead":0,"write5m":0,"write1h":0,"output":10,"reasoning":0},"source":"reported","cost":150000,"outcome":"ok"}', 0);
insert into outbox values ('env_sent', 'out', '', '5-0', 1, 1);
insert into outbox values ('env_late', 'out', 'sealed late', '6-0', 3, 0);
insert into outbox values ('env_line', 'ev', 'sealed line', null, 3, 0);
insert into outbox values ('env_last', 'out', 'sealed last', null, 4, 0);
insert into facts values ('seq', '58');
