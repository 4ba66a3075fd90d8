-- A person may cancel a run that is not over, and leave one that is over as it is: the table of a run's
-- steps, held here too for those who come past the program.
drop policy sim_runs_cancel on public.sim_runs;
create policy sim_runs_cancel on public.sim_runs for update to authenticated
  using (user_id = (select auth.uid()) and status in ('queued', 'running', 'interrupted'))
  with check (user_id = (select auth.uid()) and status = 'cancelled');
