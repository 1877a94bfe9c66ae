/* bench-worker-reference: plain C in double precision, what the other engines are compared with. */
#include "kernels/reference/engine.h"
#include "kernels/worker/server.h"

int main(int argc, char **argv)
{
    return worker_main(reference_engine(), argc, argv);
}
