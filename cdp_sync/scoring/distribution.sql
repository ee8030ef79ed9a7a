-- The profiles by tenth of the percentiles, with the values that they have.
select
    least(percentile // 10, 9)::integer as tenth,
    count(*) as profiles,
    min(value) as lowest,
    max(value) as highest
from warehouse.score
where score = $score
group by tenth
order by tenth
