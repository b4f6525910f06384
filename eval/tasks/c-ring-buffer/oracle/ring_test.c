#include <assert.h>
#include <stdio.h>

#include "ring.h"

int main(void)
{
    struct ring ring;
    int value;

    ring_init(&ring);
    assert(!ring_take(&ring, &value));
    for (int i = 0; i < RING_SIZE; i++)
        assert(ring_put(&ring, i));
    assert(!ring_put(&ring, 99));
    for (int i = 0; i < RING_SIZE; i++) {
        assert(ring_take(&ring, &value));
        assert(value == i);
    }
    for (int i = 0; i < 5 * RING_SIZE; i++) {
        assert(ring_put(&ring, i));
        assert(ring_put(&ring, -i));
        assert(ring_put(&ring, 7));
        assert(ring_take(&ring, &value) && value == i);
        assert(ring_take(&ring, &value) && value == -i);
        assert(ring_take(&ring, &value) && value == 7);
    }
    assert(ring.count == 0);
    puts("ok");
    return 0;
}
