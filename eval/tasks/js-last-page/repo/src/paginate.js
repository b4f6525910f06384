/**
 * The pages around `page`, of `total` items with `size` a page. Pages count from 1; there is always at least one.
 */
export function paginate(total, size, page) {
  if (!Number.isInteger(size) || size < 1) throw new RangeError("size must be a whole number above 0");
  const pages = Math.floor(total / size) + 1;
  const current = Math.min(Math.max(1, page), pages);
  const first = (current - 1) * size;
  return {
    page: current,
    pages,
    first,
    last: Math.min(first + size, total),
    hasNext: current < pages,
    hasPrevious: current > 1,
  };
}
