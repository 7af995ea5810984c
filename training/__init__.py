"""How play improves: networks, self-play, data, training, matches, and the worker process that runs them.

Nothing here opens a connection or knows of consensus. What is where:

    network, geometry, move_index, model      the network, its view of a board and of moves, its files
    layers, programs, inference               the network as steps for kernels, with its weights and memory
    evaluate                                  the network as the callback of a search
    playing, kernels, seeds                   games in progress, with every move recorded; random words from seeds
    selfplay, targets, shard, arrays          self-play games, what their searches found, and files of both
    replay, experience, batches, losses       verified games, positions drawn from them, tensors, errors
    gradient_programs, gradients              the gradients of its weights, by kernels
    trainer, state, average, first            the training loop, what it goes on from, and first networks
    blocks                                    games of two players, each opening in every rotation of the seats
    match, check                              matches of two models, and replays that check them
    arena, ratings, tournament                any players against each other, to measure their strength
    jobs, settings, progress, frames, worker  the kinds of job, and the process that is asked for them
    nnue/                                     NNUE networks, from games and from larger networks
    warm                                      compiles all kernels ahead of time
"""
