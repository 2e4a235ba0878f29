/* peer_lwip_nocsum: lwIP without its checksums.
 *
 * Debian builds lwIP with software checksums and no run-time switch for them.  This little
 * library needs liblwip and stands before it in the search order, so lwIP's calls to its
 * checksum functions land here: every sum is 0, which both ends write and both accept.
 * It shows what lwIP would cost on a device that sums by itself.
 */
#include <string.h>

#include "lwip/inet_chksum.h"
#include "lwip/init.h"

/* Named so that the linker keeps liblwip among the needed libraries. */
void (*const peer_lwip_nocsum_anchor)(void) = lwip_init;

u16_t inet_chksum(const void *data, u16_t size)
{
    (void)data, (void)size;
    return 0;
}

u16_t inet_chksum_pbuf(struct pbuf *p)
{
    (void)p;
    return 0;
}

u16_t ip_chksum_pseudo(struct pbuf *p, u8_t proto, u16_t size, const ip_addr_t *src,
                       const ip_addr_t *dst)
{
    (void)p, (void)proto, (void)size, (void)src, (void)dst;
    return 0;
}

u16_t ip_chksum_pseudo_partial(struct pbuf *p, u8_t proto, u16_t size, u16_t chksum_size,
                               const ip_addr_t *src, const ip_addr_t *dst)
{
    (void)p, (void)proto, (void)size, (void)chksum_size, (void)src, (void)dst;
    return 0;
}

u16_t lwip_chksum_copy(void *dst, const void *src, u16_t size)
{
    memcpy(dst, src, size);
    return 0;
}
