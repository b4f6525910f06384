#include "ring.h"

#include <string.h>

void ring_init(struct ring *ring)
{
    memset(ring, 0, sizeof *ring);
}

int ring_put(struct ring *ring, int value)
{
    if (ring->count == RING_SIZE)
        return 0;
    ring->items[(ring->first + ring->count) % RING_SIZE] = value;
    ring->count++;
    return 1;
}

int ring_take(struct ring *ring, int *value)
{
    if (ring->count == 0)
        return 0;
    *value = ring->items[ring->first];
    ring->first = (ring->first + 1) % RING_SIZE;
    ring->count--;
    return 1;
}
