/* Trains the course's network for MNIST: no Python, no framework; the library `mlp` and libc.
 *
 *     train FOLDER [EPOCHS]
 *
 * FOLDER holds train_images.u8 and the like, which build.py writes. Prints the loss of every epoch,
 * and at the end the loss and the accuracy on the test images.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "mlp.h"

enum { IMAGES = 48000, TESTS = 10000, PIXELS = 784, BATCH = 512 };

static void fail(const char *what, int32_t error) {
    fprintf(stderr, "%s: %s\n", what, error ? mlp_strerror(error) : "cannot be read");
    exit(1);
}

static uint8_t *read_bytes(const char *folder, const char *name, size_t bytes) {
    char path[4096];
    uint8_t *found = malloc(bytes);
    snprintf(path, sizeof path, "%s/%s.u8", folder, name);
    FILE *file = fopen(path, "rb");
    if (!found || !file || fread(found, 1, bytes, file) != bytes) fail(path, 0);
    fclose(file);
    return found;
}

#define NEW(state, function, leaf)                                                                 \
    (state)->leaf = calloc((size_t)mlp_##function##_state_##leaf##_elements(), sizeof *(state)->leaf)

/* Memory for everything that training changes. */
static mlp_state new_state(void) {
    mlp_state s;
    NEW(&s, step, adam_mean_0_bias), NEW(&s, step, adam_mean_0_kernel);
    NEW(&s, step, adam_mean_1_bias), NEW(&s, step, adam_mean_1_kernel);
    NEW(&s, step, adam_mean_2_bias), NEW(&s, step, adam_mean_2_kernel);
    NEW(&s, step, adam_square_0_bias), NEW(&s, step, adam_square_0_kernel);
    NEW(&s, step, adam_square_1_bias), NEW(&s, step, adam_square_1_kernel);
    NEW(&s, step, adam_square_2_bias), NEW(&s, step, adam_square_2_kernel);
    NEW(&s, step, parameters_0_bias), NEW(&s, step, parameters_0_kernel);
    NEW(&s, step, parameters_1_bias), NEW(&s, step, parameters_1_kernel);
    NEW(&s, step, parameters_2_bias), NEW(&s, step, parameters_2_kernel);
    NEW(&s, step, key), s.adam_step = calloc(1, sizeof *s.adam_step);
    return s;
}

int main(int argc, char **argv) {
    if (argc < 2) return fprintf(stderr, "usage: train FOLDER [EPOCHS]\n"), 2;
    int epochs = argc > 2 ? atoi(argv[2]) : 20;
    uint8_t *images = read_bytes(argv[1], "train_images", (size_t)IMAGES * PIXELS);
    uint8_t *labels = read_bytes(argv[1], "train_labels", IMAGES);
    uint8_t *test_images = read_bytes(argv[1], "test_images", (size_t)TESTS * PIXELS);
    uint8_t *test_labels = read_bytes(argv[1], "test_labels", TESTS);

    int64_t need[] = {mlp_init_workspace_bytes(), mlp_order_workspace_bytes(),
                      mlp_step_workspace_bytes(BATCH), mlp_test_workspace_bytes(TESTS)};
    int64_t bytes = 0;
    for (int k = 0; k < 4; k++) bytes = need[k] > bytes ? need[k] : bytes;
    void *workspace = malloc((size_t)bytes);
    int32_t *order = malloc(IMAGES * sizeof *order);
    static uint8_t batch[BATCH * PIXELS], answers[BATCH];

    mlp_state state = new_state();
    int32_t error = mlp_init_of(&state, workspace, bytes);
    if (error) fail("init", error);
    for (int epoch = 1; epoch <= epochs; epoch++) {
        double total = 0;
        int steps = 0;
        clock_t start = clock();
        if ((error = mlp_order_of(&state, order, workspace, bytes))) fail("order", error);
        for (int first = 0; first + BATCH <= IMAGES; first += BATCH, steps++) {
            float loss;
            for (int k = 0; k < BATCH; k++) {
                int32_t row = order[first + k];
                memcpy(batch + k * PIXELS, images + (size_t)row * PIXELS, PIXELS);
                answers[k] = labels[row];
            }
            error = mlp_step_of(BATCH, &state, batch, answers, &loss, workspace, bytes);
            if (error) fail("step", error);
            total += loss;
        }
        double ms = 1e3 * (double)(clock() - start) / CLOCKS_PER_SEC / steps;
        printf("epoch %2d: loss %.9g, %.2f ms a step\n", epoch, total / steps, ms);
    }
    float loss;
    int64_t right;
    error = mlp_test_of(TESTS, &state, test_images, test_labels, &loss, &right, workspace, bytes);
    if (error) fail("test", error);
    printf("test: loss %.9g, accuracy %.4f (%s)\n", loss, (double)right / TESTS, mlp_cpu());
    return 0;
}
