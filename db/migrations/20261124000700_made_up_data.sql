-- A symbol's data is real or made up, never both. The tape can't be deleted by anyone's grant; this is the one
-- way to take something off it, and it takes made-up data only (source 'synthetic'), which its seed makes again.
create function public.forget_made_up(of_symbol text) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  tape text;
  removed bigint;
  total bigint := 0;
begin
  foreach tape in array array['bars', 'mark_prices', 'funding_rates'] loop
    execute format('delete from public.%I where symbol = $1 and source = ''synthetic''', tape) using of_symbol;
    get diagnostics removed = row_count;
    total := total + removed;
  end loop;
  delete from public.news where source = 'synthetic' and of_symbol = any (symbols);
  get diagnostics removed = row_count;
  return total + removed;
end $$;

revoke all on function public.forget_made_up(text) from public, anon, authenticated, service_role;
grant execute on function public.forget_made_up(text) to agentic_worker;
