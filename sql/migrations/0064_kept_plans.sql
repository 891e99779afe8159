-- The plan for a list of any length looks dearer than one for the list at hand, so each sign-up and each recovery was
-- planned anew, which took longer than what it did. The general plans read the same indexes.
alter function make_user(text, text[], text, boolean, text, text) set plan_cache_mode = force_generic_plan;
alter function revoke_tokens(text, text, text[]) set plan_cache_mode = force_generic_plan;
alter function count_in_windows(text[], int[], int[], int[]) set plan_cache_mode = force_generic_plan;
