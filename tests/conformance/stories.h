/* SPDX-License-Identifier: Apache-2.0 */
/* stories.h -- the Markdown files beside this one, carried in the program. */
#ifndef CONF_STORIES_H
#define CONF_STORIES_H

typedef struct conf_story_file {
    const char *name; /* "acquire.md" */
    const char *text;
} conf_story_file;

/* The last one's name is NULL. */
extern const conf_story_file conf_stories[]; /* the server's */
extern const conf_story_file conf_scripts[]; /* the client's */

#endif
