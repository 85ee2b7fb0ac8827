/* kernel/dev/virtio_blk.h: virtio's block devices */
#ifndef KERNEL_DEV_VIRTIO_BLK_H
#define KERNEL_DEV_VIRTIO_BLK_H

/* All that there are become block devices: vda, vdb and so on. One for which there is no memory is
 * left out, with a line in the log. May sleep. */
void virtio_blk_init(void);

#endif
