# fish completion for carrel(1)
set -l subcommands run doctor version
set -l first "not __fish_seen_subcommand_from $subcommands"
set -l run '__fish_seen_subcommand_from run'

complete -c carrel -f
complete -c carrel -n $first -a run -d 'Run a guest on this terminal until it ends'
complete -c carrel -n $first -a doctor -d 'Say whether this host can run guests'
complete -c carrel -n $first -a version -d 'Say which version this is'
complete -c carrel -n $first -l version -d 'Say which version this is'
complete -c carrel -s h -l help -d 'Show the help'

complete -c carrel -n '__fish_seen_subcommand_from doctor' -l json -d 'For programs'

complete -c carrel -n $run -F
complete -c carrel -n $run -l initrd -r -F -d 'Initial RAM disk'
complete -c carrel -n $run -l append -x -d 'The kernel\'s command line'
complete -c carrel -n $run -l memory -x -a '64M 128M 256M 512M 1G 2G 4G' -d 'RAM'
complete -c carrel -n $run -l cpus -x -a '1 2 4 8' -d 'vCPUs'
complete -c carrel -n $run -l cpu -x -a 'host baseline' -d 'What the guest sees'
complete -c carrel -n $run -l timeout -x -a '10s 60s 10m' -d 'End the guest after this time'
complete -c carrel -n $run -l on-reboot -x -a 'exit restart' -d 'What a reset does'
complete -c carrel -n $run -l serial -x -a 'stdio file: pty none' -d 'Where the console leads'
complete -c carrel -n $run -l console -x -a 'serial virtio' -d 'What the guest has there'
complete -c carrel -n $run -l disk -r -F -d 'A raw disk image or block device'
complete -c carrel -n $run -l net -x -a 'tap= tapfd= user switch=' -d 'A network interface'
complete -c carrel -n $run -l rng -d 'Random bytes of the host'
complete -c carrel -n $run -l balloon -d 'Memory that the guest frees goes back'
complete -c carrel -n $run -l vsock -r -F -d 'Streams over Unix sockets'
complete -c carrel -n $run -l transport -x -a 'pci mmio' -d 'How virtio devices are reached'
complete -c carrel -n $run -l packed-rings -d 'Virtio devices offer packed rings'
complete -c carrel -n $run -l hugepages -d 'RAM from the pool of huge pages'
complete -c carrel -n $run -l name -x -d 'The guest\'s name'
complete -c carrel -n $run -l log -x -a 'error warning info debug' -d 'How much to say'
complete -c carrel -n $run -s v -l verbose -d 'Say what is booted and how it ended'
