-- Market data, shared by everyone: people and agents read it, the worker writes it.
--
-- The tape (bars, marks, funding) is double precision, not numeric. It is what a source observed and
-- published as doubles, not money we owe: the shortest text of a double reads back as the same double, so
-- nothing is lost; it is loaded by binary COPY straight into arrays; and it becomes Decimal through that
-- shortest text where money begins.
--
-- Times are bigint UTC ms, as inside the program. Rows are never changed: a late row or a revision is
-- appended with its own `available_at`, the instant from which it was known, and a reader as of `t` takes
-- the newest of those ≤ t.
create table public.instruments (
  symbol text primary key,
  sz_decimals int not null,
  max_leverage int not null,
  tiers jsonb not null default '[]',
  assumed boolean not null default false,
  source text not null,
  as_of timestamptz not null
);

create table public.bars (
  symbol text not null,
  interval_ms bigint not null,
  ts bigint not null,
  available_at bigint not null,
  open double precision not null,
  high double precision not null,
  low double precision not null,
  close double precision not null,
  volume double precision not null,
  source text not null,
  primary key (symbol, interval_ms, ts, available_at)
);

create table public.mark_prices (
  symbol text not null,
  interval_ms bigint not null,
  ts bigint not null,
  available_at bigint not null,
  open double precision not null,
  high double precision not null,
  low double precision not null,
  close double precision not null,
  source text not null,
  primary key (symbol, interval_ms, ts, available_at)
);

-- `ts` is when it was charged, by the source's word; `settled_at` is that, rounded down to its hour.
create table public.funding_rates (
  symbol text not null,
  settled_at bigint not null,
  available_at bigint not null,
  ts bigint not null,
  rate double precision not null,
  source text not null,
  primary key (symbol, settled_at, available_at)
);

create table public.news (
  source text not null,
  id text not null,
  published_at bigint not null,
  first_seen_at bigint,
  available_at bigint not null,
  title text not null,
  body text,
  url text,
  symbols text[] not null default '{}',
  category text,
  sentiment jsonb,
  imported_at timestamptz not null default now(),
  search tsvector not null generated always as (
    setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', coalesce(body, '')), 'B')
  ) stored,
  primary key (source, id)
);
create index news_search on public.news using gin (search);
create index news_symbols on public.news using gin (symbols);
create index news_available on public.news (available_at);

revoke all on public.instruments, public.bars, public.mark_prices, public.funding_rates, public.news
  from public, anon, authenticated, service_role;
grant select on public.instruments, public.bars, public.mark_prices, public.funding_rates, public.news
  to authenticated, agentic_worker;
grant insert on public.bars, public.mark_prices, public.funding_rates, public.news to agentic_worker;
grant insert, update on public.instruments to agentic_worker;
