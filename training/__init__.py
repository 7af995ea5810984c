"""How play improves: networks, self-play, data, training, matches, and the worker process that runs them.

Nothing here opens a connection or knows of consensus. What is where:

    network, geometry, move_index, model      the network, its view of a board and of moves, its files
    evaluate                                  the network as the callback of a search
    playing, kernels, seeds                   games in progress, with every move recorded; random words from seeds
    selfplay, targets, shard, arrays          self-play games, what their searches found, and files of both
    replay, experience, batches, losses       verified games, positions drawn from them, tensors, errors
    trainer, average                          the training loop, and the average of its weights
    match, check                              matches of two models, and replays that check them
    arena, ratings, tournament                any players against each other, to measure their strength
    jobs, settings, progress, frames, worker  the kinds of job, and the process that is asked for them
    nnue/                                     NNUE networks, from games and from larger networks
    warm                                      compiles all kernels ahead of time
"""
