/* blocks.h - how many blocks of memory the program has. */
#ifndef NT_FAULTS_BLOCKS_H
#define NT_FAULTS_BLOCKS_H

/* Blocks that this program and netron have allocated and not freed; libraries' are not counted. */
long blocks_live(void);

#endif
