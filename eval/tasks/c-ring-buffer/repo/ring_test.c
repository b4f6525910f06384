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
    puts("ok");
    return 0;
}
