-- How people buy, fitted in rounds: who is still active by the round before, and then the moments of those who are. It begins
-- with one pace for all, and each tenth purchase as the last one; as if that had been seen of ten purchases, so that few
-- buyers do not decide it.
create or replace temp table purchasing as
with recursive fit as (
    select
        0 as round,
        1.0::double as shape,
        (greatest(sum(age), 1) / greatest(sum(purchases - 1), 1))::double as scale,
        0.1::double as dropout
    from buyer
    union all
    select round + 1, shape, shape / pace, dropout
    from (
        select
            round,
            pace,
            dropout,
            case
                when difference > 1e-9 * (squared + 1)
                    then least(greatest(pace * pace * squared_days / difference, 0.05), 1000)
                else 1000
            end::double as shape
        from (
            select *, squared - 2 * pace * mixed + pace * pace * squared_days - pace * days as difference
            from (
                select
                    round,
                    greatest(sum(repeats), 1) / greatest(sum(exposed), 1) as pace,
                    (sum(1 - is_active) + 1) / (sum(repeats + 1) + 10) as dropout,
                    sum(exposed) as days,
                    greatest(sum(exposed * exposed), 1) as squared_days,
                    sum(repeats * exposed) as mixed,
                    sum(repeats * repeats) as squared
                from (
                    select round, repeats, is_active, is_active * age + (1 - is_active) * active as exposed
                    from (
                        select round, purchases - 1 as repeats, age, active, {is_active} as is_active
                        from fit, buyer
                        where round < $rounds
                    )
                )
                group by round
            )
        )
    )
)
select shape, scale, dropout from fit where round = $rounds
