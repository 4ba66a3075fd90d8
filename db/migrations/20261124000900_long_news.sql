-- A story may be longer than what an index entry takes (1 MB of words): its beginning is what is searched.
alter table public.news drop column search;
alter table public.news add column search tsvector not null generated always as (
  setweight(to_tsvector('english', left(title, 10000)), 'A') ||
  setweight(to_tsvector('english', left(coalesce(body, ''), 100000)), 'B')
) stored;
create index news_search on public.news using gin (search);
