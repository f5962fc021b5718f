/* Answers of the proxymap service (MAP_ANSWER.status). */
#ifndef POSTERN_IPC_MAPPROTO_H
#define POSTERN_IPC_MAPPROTO_H

enum map_status {
	MAP_STAT_OK = 0,
	MAP_STAT_NOT_FOUND, /* no such key; MAP_NEXT: no more entries */
	MAP_STAT_RETRY,	    /* the table failed: try again later */
	MAP_STAT_DENIED,    /* not in proxy_read_maps or proxy_write_maps */
	MAP_STAT_BAD,	    /* the request makes no sense */
};

#endif
