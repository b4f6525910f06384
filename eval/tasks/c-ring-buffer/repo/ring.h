#ifndef RING_H
#define RING_H

#define RING_SIZE 8

/* First in, first out; as many as there is room for. */
struct ring {
    int items[RING_SIZE];
    int first;
    int count;
};

void ring_init(struct ring *ring);

/* 0 if it is full. */
int ring_put(struct ring *ring, int value);

/* 0 if it is empty. */
int ring_take(struct ring *ring, int *value);

#endif
